import type { Problem } from "./errors.js";

/** Why a host will not do: `environment` or `conflict`; a `warning` does not stop anything. */
export interface Finding extends Problem {
  readonly kind: "environment" | "conflict" | "warning";
  /** This Docker does not show its host, or no host that could be a node: looking further would tell nothing. */
  readonly hidesHost?: true;
}
