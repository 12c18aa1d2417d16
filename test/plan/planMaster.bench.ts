import { bench, describe } from "vitest";
import { planMaster } from "../../src/plan/planMaster.js";
import { config, masterInput, masterOptions } from "./fixtures.js";

/** One sample each, before the engine has made the code fast: a run of the command renders one plan. */
const once = { iterations: 1, time: 0, warmupIterations: 0, warmupTime: 0 };
const minors = Array.from({ length: 36 - 3 + 1 }, (_, i) => `v1.${i + 3}.0`);

describe("rendering a whole plan", () => {
  for (const version of minors) {
    bench(
      version,
      () => {
        const options = { ...masterOptions, k8sVersion: version };
        planMaster({ ...masterInput, options, config: { ...config, version } });
      },
      once,
    );
  }
});
