import type { ContainerEngine } from "../docker/containerEngine.js";
import { pullWithRetry } from "../docker/pullWithRetry.js";
import { defined } from "../model/defined.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import type { RegistryMirrors } from "../model/options.js";
import { inPhase } from "../report/inPhase.js";
import type { RunContext } from "../report/runContext.js";
import type { ImageChoice } from "./chooseImage.js";

export interface EnsureImageOptions {
  /** Of Kubernetes. */
  readonly version: string;
  /** That of the machine that it is for: `amd64`, `arm64`. */
  readonly architecture: string;
  readonly registryMirrors: RegistryMirrors;
  /** URL of a server with the projects' release files. */
  readonly mirror?: string | undefined;
  readonly pullTimeoutMs: number;
  readonly context: RunContext;
}

/** The hyperkube image as it is here; pulled or built if need be. */
export async function ensureImage(
  engine: ContainerEngine,
  choice: ImageChoice,
  options: EnsureImageOptions,
): Promise<ImageDetails> {
  const { reference } = choice;
  const { version, architecture, context } = options;
  const here = await engine.inspectImage(reference);
  // One for other machines may have the name of one that is to be pulled.
  if (here && (choice.how !== "pull" || here.architecture === architecture)) return here;
  if (choice.how === "build") {
    const message = `no image of Kubernetes ${version} is published: building one from the projects' release files`;
    context.report({ kind: "notice", message });
    const { buildImage } = await import("../image/buildImage.js");
    const built = await buildImage(engine, { ...options, tag: reference }).catch((error: unknown) => {
      throw withWayOut(error, version);
    });
    return shown(engine, built.reference);
  }
  const isForeign = (await engine.version()).architecture !== architecture;
  const platform = isForeign ? { platform: `linux/${architecture}` } : {};
  return pull(engine, reference, { ...options, ...platform }).catch((error: unknown) => {
    throw withWayOut(error, version);
  });
}

/**
 * Any image as it is here, pulled if need be; with a platform in any case, since an image may be here under that name
 * that is for another one.
 */
export async function pullImage(
  engine: ContainerEngine,
  reference: string,
  options: { readonly pullTimeoutMs: number; readonly context: RunContext; readonly platform?: string },
): Promise<ImageDetails> {
  const here = options.platform === undefined ? await engine.inspectImage(reference) : undefined;
  return here ?? pull(engine, reference, options);
}

async function pull(
  engine: ContainerEngine,
  reference: string,
  options: { readonly pullTimeoutMs: number; readonly context: RunContext; readonly platform?: string },
): Promise<ImageDetails> {
  const { report, signal } = options.context;
  await inPhase("image", report, () =>
    pullWithRetry(engine, reference, {
      signal,
      timeoutMs: options.pullTimeoutMs,
      ...defined({ platform: options.platform }),
      onProgress: (progress) => {
        report({ kind: "pull-progress", image: reference, progress });
      },
      onRetry: (message) => {
        report({ kind: "warning", message });
      },
    }),
  );
  return shown(engine, reference);
}

async function shown(engine: ContainerEngine, reference: string): Promise<ImageDetails> {
  const image = await engine.inspectImage(reference);
  if (image) return image;
  throw new TsdeployError("failed", {
    code: "IMAGE_NOT_FOUND",
    message: `Docker should have ${reference} now but does not show it`,
    hint: `Look at \`docker images\` on ${engine.endpoint}.`,
  });
}

/** Failures of a pull that another network or another try would not mend. */
const hopeless: readonly string[] = ["IMAGE_NOT_FOUND", "IMAGE_FORMAT_OLD", "IMAGE_PLATFORM"];

/** Failures where there is no network. */
const cutOff: readonly string[] = ["REGISTRY_UNREACHABLE", "DOWNLOAD_FAILED"];

/** Says how else the image can be had. */
function withWayOut(error: unknown, version: string): unknown {
  if (!(error instanceof TsdeployError)) return error;
  const build = `\`tsdeploy image build --k8s-version ${version}`;
  const problems = error.problems.map((problem) => {
    const { code, hint } = problem;
    if (hopeless.includes(code)) return { ...problem, hint: `Build one: ${build}\`. ${hint}` };
    if (!cutOff.includes(code)) return problem;
    const elsewhere =
      `Without a network: \`tsdeploy image save FILE --k8s-version ${version}\` where there is one and ` +
      `\`tsdeploy image load FILE\` here, or ${build} --binaries DIR --base IMAGE\`.`;
    return { ...problem, hint: `${hint}\n${elsewhere}` };
  });
  return new TsdeployError(error.kind, problems, { cause: error.cause });
}
