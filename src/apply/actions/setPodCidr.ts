import { ApiError } from "../../api/apiFault.js";
import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";
import { nodeOf } from "../probes.js";

export async function setPodCidr({ node: name, podCidr }: ActionOf<"set-pod-cidr">, { run }: StepTools): Promise<void> {
  const { api, context } = run;
  const { signal } = context;
  const hasOne = async (): Promise<boolean> => (await nodeOf(api, name, signal))?.spec?.podCIDR !== undefined;
  if (await hasOne()) return;
  try {
    await api.patch(`/api/v1/nodes/${name}`, { spec: { podCIDR: podCidr, podCIDRs: [podCidr] } }, { signal });
  } catch (error) {
    // The controller-manager was faster.
    if (!(error instanceof ApiError && (await hasOne()))) throw error;
  }
}
