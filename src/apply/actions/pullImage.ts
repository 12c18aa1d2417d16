import { pullWithRetry } from "../../docker/pullWithRetry.js";
import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";

export async function pullImage({ reference }: ActionOf<"pull-image">, { run }: StepTools): Promise<void> {
  const { engine, report, signal, pullTimeoutMs } = run.context;
  if (await engine.inspectImage(reference)) return;
  await pullWithRetry(engine, reference, {
    signal,
    timeoutMs: pullTimeoutMs,
    onProgress: (progress) => {
      report({ kind: "pull-progress", image: reference, progress });
    },
    onRetry: (message) => {
      report({ kind: "warning", message });
    },
  });
}
