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

/** What shows that a server does not have a file, or that there is no way to it. */
const notToBeHad: ReadonlySet<string> = new Set([
  "DOWNLOAD_FAILED",
  "ARTIFACT_NOT_FOUND",
  "CHECKSUM_UNKNOWN",
  "NOT_A_BINARY",
]);

export interface FetchedArtifacts {
  readonly files: readonly LayerFile[];
  /** Names of artifacts that were only attempted -> why they are not there. */
  readonly failed: ReadonlyMap<string, string>;
}

/**
 * Downloads release files, as far as the cache does not have them, and unpacks what they have for the image below a
 * folder.
 *
 * @param attempted those that may be missing; a wrong checksum is a failure of these, too
 * @throws what `downloadFiles` and `unpackArtifact` do; TsdeployError `environment`, `BINARY_ARCHITECTURE`
 */
export async function fetchArtifacts(
  { needed, attempted }: { readonly needed: readonly Artifact[]; readonly attempted: readonly Artifact[] },
  folder: string,
  { architecture, mirror, cache, env, report, signal }: FetchContext,
): Promise<FetchedArtifacts> {
  if (needed.length + attempted.length === 0) return { files: [], failed: new Map() };
  if (isPlainHttp(mirror)) {
    const message =
      "the mirror is plain http: its checksums come the same way as its files, so they show damage, but no forgery";
    report({ kind: "warning", message });
  }
  return inPhase("download", report, async () => {
    const web = openWebClient(env);
    const toldAt = new Map<string, number>();
    const fetch = async (artifacts: readonly Artifact[]): Promise<LayerFile[]> => {
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
    };
    try {
      const files = await fetch(needed);
      const failed = new Map<string, string>();
      for (const artifact of attempted) {
        try {
          files.push(...(await fetch([artifact])));
        } catch (error) {
          signal.throwIfAborted();
          const problems = error instanceof TsdeployError ? error.problems : [];
          if (problems.length === 0 || !problems.every(({ code }) => notToBeHad.has(code))) throw error;
          failed.set(artifact.name, problems.map(({ message }) => message).join("; "));
        }
      }
      return { files, failed };
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
