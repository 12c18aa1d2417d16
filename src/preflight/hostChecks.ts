import type { ObservedHost } from "../model/hostFacts.js";
import type { Check } from "./check.js";
import { dataChecks } from "./dataChecks.js";
import { networkChecks } from "./networkChecks.js";
import { ownershipChecks } from "./ownershipChecks.js";
import { systemChecks } from "./systemChecks.js";

/** What needs the helper container's facts. */
export const hostChecks: readonly Check<ObservedHost>[] = [
  ...systemChecks,
  ...networkChecks,
  ...ownershipChecks,
  ...dataChecks,
];
