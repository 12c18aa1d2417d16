import { type Footprint, footprint } from "../../e2e/support/footprint.js";
import type { VirtualMachine } from "./virtualMachine.js";

/**
 * What systemd, udev and the kernel of a whole machine change by themselves at each boot, login or event. Sections are
 * those of `footprint.sh`.
 */
const volatile: readonly RegExp[] = [
  /^file: . \S+ \S+ \/run\/(systemd|udev|user|log|utmp|sshd|credentials|mount|lock|tmpfiles\.d|initramfs)(\/|\s|$)/,
  /^file: . \S+ \S+ \/var\/(log\/(journal|private|wtmp|btmp|lastlog)|lib\/(systemd|private|dbus))(\/|\s|$)/,
  /^file: . \S+ \S+ (\/var)?\/tmp\/systemd-private-/,
  /^(file: . \S+ \S+|content: \S+ ) \/etc\/(resolv\.conf|mtab|\.updated)/,
  /^process: (\(sd-pam\)|systemd-|systemd$|sshd|ssh|login|agetty|\(.*\)|udev-worker)/,
  /^mount: (\/run\/(user|credentials)\/|\/proc\/sys\/fs\/binfmt_misc )/,
  // Of a module that kube-proxy has the kernel load, and that stays loaded until a reboot.
  /^sysctl: net\.ipv4\.vs\./,
  // Of the first boot alone, and of each Docker container.
  /^unit: (ldconfig|proc-sys-fs-binfmt_misc|session-|user-|user@|run-user-|run-credentials|systemd-)/,
  /^unit: (run-docker|var-lib-docker|run-containerd|docker-[0-9a-f]{64}\.scope|sys-|dev-)/,
  /^cgroup: .*(docker-[0-9a-f]{64}\.scope|user\.slice|session-|user@|systemd-|\.(mount|swap|socket|service)$)/,
];

/** A machine's footprint without that. */
export async function ownFootprint(machine: VirtualMachine): Promise<Footprint> {
  return (await footprint(machine)).filter((line) => !volatile.some((pattern) => pattern.test(line)));
}
