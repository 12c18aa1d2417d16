import type { AddressRanges } from "../../model/addressRanges.js";
import { filledNetwork } from "../../model/hostFile.js";
import type { ActionOf } from "../../model/plan.js";
import type { StepTools } from "../planRun.js";
import { nodeOf, podCidrsOf, tolerant } from "../probes.js";
import { isSameFile, writeUndoably } from "./writeFiles.js";

export async function writePodNetwork(action: ActionOf<"write-pod-network">, tools: StepTools): Promise<void> {
  const { run, step, leave } = tools;
  const { engine, files } = run.context;
  const { node: name, file: template } = action;
  let podCidrs: AddressRanges | undefined;
  await run.wait(step, (signal) =>
    tolerant(`node ${name}`, async () => {
      const node = await nodeOf(run.api, name, signal);
      podCidrs = podCidrsOf(node?.spec);
      return podCidrs === undefined ? { done: false, seen: `node ${name} has no pod CIDR` } : { done: true };
    }),
  );
  if (podCidrs === undefined) return;
  const file = filledNetwork(template, podCidrs);
  const now = run.written.get(file.path) ?? files.get(file.path);
  if (isSameFile(now, file)) return;
  await writeUndoably([file], tools);
  const { kubeletId } = run;
  if (!action.restartsKubelet || kubeletId === undefined) return;
  const restart = async (): Promise<void> => {
    await engine.stopContainer(kubeletId, 10);
    await engine.startContainer(kubeletId);
  };
  // It reads the file when it starts: with the old one back, it has to start once more.
  leave({
    resume: async () => {
      if ((await engine.inspectContainer(kubeletId))?.running === true) await restart();
    },
  });
  await restart();
  await run.noteKubelet(kubeletId);
}
