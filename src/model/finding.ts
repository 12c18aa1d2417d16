import type { Problem } from "./errors.js";

/** Why a host will not do: `environment` or `conflict`; a `warning` does not stop anything. */
export interface Finding extends Problem {
  readonly kind: "environment" | "conflict" | "warning";
}
