import type { ContainerEngine } from "../docker/containerEngine.js";
import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";
import type { Architecture, RegistryMirrors } from "../model/options.js";
import { withAnySignal } from "../model/signals.js";
import type { RunContext } from "../report/runContext.js";
import { buildHyperkube, type BuiltImage } from "./buildHyperkube.js";

export interface BuildImageOptions {
  /** Of Kubernetes. */
  readonly version: string;
  /** Go's name of what the image is to run on. */
  readonly architecture: string;
  readonly binaries?: string | undefined;
  readonly mirror?: string | undefined;
  readonly base?: string | undefined;
  readonly tag?: string | undefined;
  readonly complete?: boolean | undefined;
  readonly registryMirrors: RegistryMirrors;
  readonly pullTimeoutMs: number;
  readonly context: RunContext;
}

/**
 * Builds the hyperkube image of a version within the time that a pull may take.
 *
 * @throws TsdeployError `environment` with `ARCHITECTURE_UNSUPPORTED`, `failed` with `BUILD_TIMEOUT`, and what
 * `buildHyperkube` throws
 */
export async function buildImage(engine: ContainerEngine, options: BuildImageOptions): Promise<BuiltImage> {
  const { version, architecture, binaries, mirror, base, tag, complete } = options;
  const { registryMirrors, pullTimeoutMs, context } = options;
  const deadline = AbortSignal.timeout(pullTimeoutMs);
  const request = {
    version,
    arch: asArchitecture(architecture),
    ...defined({ binaries, mirror, base, tag, complete }),
    registryMirrors,
  };
  try {
    const { env, report } = context;
    return await withAnySignal([context.signal, deadline], (signal) =>
      buildHyperkube(engine, request, { env, report, signal }),
    );
  } catch (error) {
    if (!deadline.aborted || context.signal.aborted) throw error;
    throw new TsdeployError("failed", {
      code: "BUILD_TIMEOUT",
      message: `the image of Kubernetes ${version} was not built after ${Math.round(pullTimeoutMs / 1000)} s`,
      hint: "Give it longer by --pull-timeout; files that are here already are not downloaded again.",
    });
  }
}

/** @throws TsdeployError `environment`, `ARCHITECTURE_UNSUPPORTED`, where no release files are known */
export function asArchitecture(text: string): Architecture {
  if (text === "amd64" || text === "arm64") return text;
  throw new TsdeployError("environment", {
    code: "ARCHITECTURE_UNSUPPORTED",
    message: `an image for ${text} cannot be built: amd64 and arm64 are known`,
    hint: "Name an image of your own by --image.",
  });
}
