import type { CommandContext } from "../commands/context.js";
import type { CommonOptions } from "../config/options.js";
import { connectEngine } from "../docker/connectEngine.js";
import type { ContainerEngine, ImageDetails } from "../docker/containerEngine.js";
import { pullWithRetry } from "../docker/pullWithRetry.js";
import { TsdeployError } from "../errors.js";

/** Connects to the Docker that the options name, and lets go of it when `use` ends. */
export async function withEngine<T>(
  options: CommonOptions,
  context: CommandContext,
  use: (engine: ContainerEngine) => Promise<T>,
): Promise<T> {
  const { dockerHost, dockerContext } = options;
  const engine = await connectEngine(
    { ...(dockerHost === undefined ? {} : { dockerHost }), ...(dockerContext === undefined ? {} : { dockerContext }) },
    context.env,
  );
  try {
    return await use(engine);
  } finally {
    await engine.close();
  }
}

/** The image as it is here, pulled if need be. */
export async function ensureImage(
  engine: ContainerEngine,
  reference: string,
  options: { readonly pullTimeoutMs: number; readonly context: CommandContext },
): Promise<ImageDetails> {
  const { report, signal } = options.context;
  const here = await engine.inspectImage(reference);
  if (here) return here;
  const phase = "image";
  const began = performance.now();
  report({ kind: "phase-started", phase });
  try {
    await pullWithRetry(engine, reference, {
      signal,
      timeoutMs: options.pullTimeoutMs,
      onProgress: (progress) => {
        report({ kind: "pull-progress", image: reference, progress });
      },
      onRetry: (message) => {
        report({ kind: "warning", message });
      },
    });
  } catch (error) {
    report({ kind: "phase-failed", phase, durationMs: performance.now() - began });
    throw error;
  }
  report({ kind: "phase-finished", phase, durationMs: performance.now() - began });
  const pulled = await engine.inspectImage(reference);
  if (pulled) return pulled;
  throw new TsdeployError("failed", {
    code: "IMAGE_NOT_FOUND",
    message: `Docker pulled ${reference} but does not show it`,
    hint: `Look at \`docker images\` on ${engine.endpoint}.`,
  });
}
