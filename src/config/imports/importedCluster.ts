import { isIPv6 } from "node:net";
import { isRestrictedLabel } from "../restrictedLabels.js";
import type { ForeignFile, LeftKey, Path } from "./foreignFile.js";

/** A cluster of another tool's file, by the keys of ours. */
export interface ImportedCluster {
  /** Of the tool. */
  readonly from: "RKE" | "k0sctl";
  /** What is said of all hosts, in the order in which it is printed. */
  readonly settings: Readonly<Record<string, unknown>>;
  readonly hosts: readonly ImportedHost[];
  /** Lines that a person may turn on. */
  readonly offered: readonly string[];
  /** What became something else, and what the other tool would have done besides. */
  readonly notes: readonly string[];
  readonly left: readonly (LeftKey & { readonly hint?: string })[];
}

export interface ImportedHost {
  readonly role: "master" | "worker";
  readonly dockerHost?: string;
  readonly nodeName?: string;
  readonly ip?: string;
  readonly nodeLabels?: Readonly<Record<string, string>>;
  readonly nodeTaints?: readonly string[];
  readonly extraArgs?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What keeps pods off a node of the control plane that is no worker. */
export const controlPlaneTaint = "node-role.kubernetes.io/control-plane:NoSchedule";

/** Of the notes; said once, however many hosts have keys of their own. */
export const sshNote =
  "Keys, agents and jump hosts stay in your own ssh configuration: name them in ~/.ssh/config (Host, User, " +
  "IdentityFile, ProxyJump).";

const sshHint = "It is your ssh configuration's: Host, IdentityFile, CertificateFile, ProxyJump in ~/.ssh/config.";

/** For keys by which the other tool reaches its hosts. */
export function sshHintFor(pattern: RegExp): readonly [RegExp, string] {
  return [pattern, sshHint];
}

/** `ssh://rancher@10.0.0.5:2222`; undefined without an address. Ports and sockets that are the usual ones are left out. */
export function sshEndpoint(part: {
  readonly address: string | undefined;
  readonly user: string | undefined;
  readonly port: string | undefined;
  readonly socket?: string | undefined;
}): string | undefined {
  const { address, user, port, socket } = part;
  if (address === undefined) return undefined;
  const host = isIPv6(address) ? `[${address}]` : address;
  const before = user === undefined ? "" : `${encodeURIComponent(user)}@`;
  const after = port === undefined || port === "22" ? "" : `:${port}`;
  const path = socket === undefined || socket === "/var/run/docker.sock" ? "" : socket;
  return `ssh://${before}${host}${after}${path}`;
}

/** Labels that a node may give itself; the others are left. */
export function ownLabels(file: ForeignFile, path: Path): Record<string, string> {
  const all = Object.entries(file.map(path));
  for (const [key] of all) if (isRestrictedLabel(key)) file.leave([...path, key]);
  return Object.fromEntries(all.filter(([key]) => !isRestrictedLabel(key)));
}

export const labelHint = "A node may not give itself such a label: run `kubectl label node` when it has joined.";

/** What is left, each with what can be done about it. */
export function leftWithHints(
  file: ForeignFile,
  hints: readonly (readonly [RegExp, string])[],
): ImportedCluster["left"] {
  return file.leftKeys().map((left) => {
    const hint = hints.find(([pattern]) => pattern.test(left.key))?.[1];
    return { ...left, ...(hint !== undefined && { hint }) };
  });
}

/** `v1.20.15` of `v1.20.15-rancher1-1` or `v1.28.4+k0s.0`. */
export function kubernetesVersionOf(text: string | undefined): string | undefined {
  const version = /^v?(\d+\.\d+\.\d+)/.exec(text ?? "")?.[1];
  return version === undefined ? undefined : `v${version}`;
}

/** Without what is empty or undefined, so that only what was said is printed. */
export function said<T extends object>(all: T): Partial<T> {
  const isNothing = (value: unknown): boolean =>
    value === undefined || (typeof value === "object" && value !== null && Object.keys(value).length === 0);
  return Object.fromEntries(Object.entries(all).filter(([, value]) => !isNothing(value))) as Partial<T>;
}
