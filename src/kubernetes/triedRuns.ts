import runs from "./triedRuns.json" with { type: "json" };

/** One run of a whole cluster's story that went well, as `npm run test:vm` notes it. */
export interface TriedRun {
  /** `2026-11-28` */
  readonly date: string;
  /** Of Kubernetes: `v1.20.2`. */
  readonly version: string;
  /** `virtual machines`, `one virtual machine` that is a master alone, or containers that play `test machines`. */
  readonly on: string;
  /** `Debian trixie` */
  readonly system: string;
  readonly arch: string;
  readonly kernel: string;
  /** `26.1.5, overlay2` */
  readonly docker: string;
  /** `v2, systemd` */
  readonly cgroups: string;
  /** Pod network: `bridge`, `bridge, dual stack`, `flannel vxlan`. */
  readonly network: string;
  readonly proxyMode: string;
  readonly dns: string;
}

/** What was not noted when it was run. */
export const unknown = "not noted";

/** All of them, oldest first. */
export const triedRuns: readonly TriedRun[] = runs;

/** Versions that were run for real, in the order of the table. */
export const triedVersions: readonly string[] = [...new Set(triedRuns.map(({ version }) => version))];
