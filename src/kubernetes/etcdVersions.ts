import { compare, inc, major, minor, satisfies } from "semver";

/** Whether an etcd may be started on data that another one wrote. Versions are such as `3.5.26`. */
export type EtcdChange =
  | { readonly kind: "safe" }
  /**
   * `downgrade`: of a minor version, which etcd refuses on its data; `skipped`: more than one minor version up;
   * `unsafe`: one up, but etcd's authors warn. `stop` is a version to run first (`3.4`: any of that minor version;
   * `3.5.26`: that patch version or a later one).
   */
  | { readonly kind: "refused"; readonly why: "downgrade" | "skipped" | "unsafe"; readonly stop: string };

/** The first etcd in which a new member can learn before it votes. */
export const firstWithLearners = "3.4.0";

/** One minor version up that needs a certain patch version first. */
const unsafeSteps: readonly { readonly to: string; readonly from: string; readonly stop: string }[] = [
  // Members that were removed come back: https://etcd.io/blog/2025/zombie_members_upgrade/
  { to: ">=3.6.0 <3.7.0", from: "<3.5.26", stop: "3.5.26" },
];

/** What it means to start etcd `to` on the data that etcd `from` ran on last. */
export function etcdChange(from: string, to: string): EtcdChange {
  const [before, after] = [minorOf(from), minorOf(to)];
  const order = compare(`${after}.0`, `${before}.0`);
  if (order === 0) return { kind: "safe" };
  if (order < 0) return { kind: "refused", why: "downgrade", stop: before };
  const next = minorOf(inc(`${before}.0`, "minor") ?? from);
  if (after !== next) return { kind: "refused", why: "skipped", stop: next };
  const unsafe = unsafeSteps.find((step) => satisfies(to, step.to) && satisfies(from, step.from));
  return unsafe ? { kind: "refused", why: "unsafe", stop: unsafe.stop } : { kind: "safe" };
}

/** The version that an etcd image's tag says: `3.5.9` of `registry.k8s.io/etcd:3.5.9-0`; undefined for other images. */
export function taggedEtcd(reference: string): string | undefined {
  return /(?:^|\/)etcd(?:-[a-z0-9]+)?:v?(\d+\.\d+\.\d+)/.exec(reference)?.[1];
}

/** `3.5` */
function minorOf(version: string): string {
  return `${major(version)}.${minor(version)}`;
}
