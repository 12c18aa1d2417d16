import { TsdeployError } from "../model/errors.js";
import type { Architecture } from "../model/options.js";
import type { Report } from "../report/events.js";
import { inPhase } from "../report/inPhase.js";
import type { Artifact } from "./artifacts.js";
import { downloadFiles } from "./downloadFiles.js";
import type { LayerFile } from "./layer.js";
import { isPlainHttp } from "./mirror.js";
import { readFileKind } from "./readBinary.js";
import { unpackArtifact } from "./unpackArtifact.js";
import { openWebClient } from "./webClient.js";

export interface FetchContext {
  readonly architecture: Architecture;
  readonly mirror?: string | undefined;
  /** See `cacheFolder`. */
  readonly cache: string;
  readonly env: NodeJS.ProcessEnv;
  readonly report: Report;
  readonly signal: AbortSignal;
}

const progressIntervalMs = 100;

/**
 * Downloads release files, as far as the cache does not have them, and unpacks what they have for the image below a
 * folder.
 *
 * @throws what `downloadFiles` and `unpackArtifact` do; TsdeployError `environment`, `BINARY_ARCHITECTURE`
 */
export async function fetchArtifacts(
  artifacts: readonly Artifact[],
  folder: string,
  { architecture, mirror, cache, env, report, signal }: FetchContext,
): Promise<LayerFile[]> {
  if (artifacts.length === 0) return [];
  if (isPlainHttp(mirror)) {
    const message =
      "the mirror is plain http: its checksums come the same way as its files, so they tell damage, but no forgery";
    report({ kind: "warning", message });
  }
  return inPhase("download", report, async () => {
    const web = openWebClient(env);
    const toldAt = new Map<string, number>();
    try {
      const files = await downloadFiles(artifacts, {
        web,
        cache,
        mirror,
        signal,
        onProgress: (progress) => {
          const now = performance.now();
          const isDue = now - (toldAt.get(progress.file) ?? -Infinity) >= progressIntervalMs;
          if (!isDue && progress.done === undefined) return;
          toldAt.set(progress.file, now);
          report({ kind: "download-progress", ...progress });
        },
        onNotice: (message) => {
          report({ kind: "warning", message });
        },
      });
      const unpacked: LayerFile[] = [];
      for (const [artifact, path] of files) {
        signal.throwIfAborted();
        const programs = await unpackArtifact(artifact, path, folder);
        for (const program of programs) await checkArchitecture(program, artifact.url, architecture);
        unpacked.push(...programs);
      }
      return unpacked;
    } finally {
      await web.close();
    }
  });
}

/** A mirror may have them in the wrong place. */
async function checkArchitecture({ path, source }: LayerFile, url: string, architecture: Architecture): Promise<void> {
  if (!("file" in source)) return;
  const kind = await readFileKind(source.file);
  if (kind.kind !== "program" || kind.architecture === architecture) return;
  throw new TsdeployError("environment", {
    code: "BINARY_ARCHITECTURE",
    message: `${path}, downloaded as ${url}, is for ${kind.architecture}, not ${architecture}`,
    hint: "Correct it on the mirror, or leave --mirror out.",
  });
}
