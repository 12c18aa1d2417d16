import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";
import { nodeOf, tolerant } from "../probes.js";

export async function setPodCidr(action: ActionOf<"set-pod-cidr">, { run, step }: StepTools): Promise<void> {
  const { node: name, podCidrs } = action;
  await run.wait(step, (signal) =>
    tolerant(`node ${name}`, async () => {
      // A refusal means that the controller-manager was faster: the next look sees its pod CIDR.
      if ((await nodeOf(run.api, name, signal))?.spec?.podCIDR !== undefined) return { done: true };
      await run.api.patch(`/api/v1/nodes/${name}`, { spec: { podCIDR: podCidrs[0], podCIDRs: podCidrs } }, { signal });
      return { done: true };
    }),
  );
}
