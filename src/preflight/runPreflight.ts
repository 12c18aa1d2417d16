import { type Problem, TsdeployError } from "../model/errors.js";
import type { Finding } from "../model/finding.js";
import type { Check, Tier, TierFacts, Wanted } from "./check.js";
import { engineChecks } from "./engineChecks.js";
import { hostChecks } from "./hostChecks.js";
import { imageChecks } from "./imageChecks.js";
import { proxyChecks } from "./proxyChecks.js";

export interface PreflightResult {
  /** All that stands against this run on this host. */
  readonly errors: readonly Finding[];
  /** One sentence each. */
  readonly warnings: readonly string[];
}

/** All checks of a tier, by name. */
export const checks: { readonly [T in Tier]: readonly Check<TierFacts[T]>[] } = {
  engine: [...engineChecks, ...proxyChecks],
  image: imageChecks,
  host: hostChecks,
};

/** Runs every check of a tier and reports all that was found at once. Pure. */
export function runPreflight<T extends Tier>(tier: T, facts: TierFacts[T], wanted: Wanted): PreflightResult {
  const findings = checks[tier].flatMap((check) => check.check(facts, wanted) ?? []);
  return {
    errors: findings.filter((finding) => finding.kind !== "warning"),
    warnings: findings
      .filter((finding) => finding.kind === "warning")
      .map(({ message, hint }) => `${message}. ${hint}`),
  };
}

/**
 * The error to throw for what was found; undefined if nothing stands against the run. Of mixed kinds, `environment`
 * decides the exit code: it is what has to be put right first.
 */
export function preflightError(errors: readonly Finding[]): TsdeployError | undefined {
  if (errors.length === 0) {
    return undefined;
  }
  const kind = errors.some((finding) => finding.kind === "environment") ? "environment" : "conflict";
  const problems: Problem[] = errors.map(({ code, message, hint }) => ({ code, message, hint }));
  return new TsdeployError(kind, problems);
}
