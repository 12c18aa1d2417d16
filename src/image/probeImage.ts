import { nanoid } from "nanoid";
import { type ContainerEngine, EngineError } from "../docker/containerEngine.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import { containerName, labels } from "../model/hostLayout.js";
import { imagePath } from "./imageContents.js";
import { imageScript } from "./imageScript.js";

/** What `scripts/image/probe.sh` is to find out. */
export interface ProbeRequest {
  /** Whether, and where, these are in PATH. */
  readonly programs?: readonly string[];
  /** Programs whose `--version` is run. */
  readonly versions?: readonly string[];
  /** Folders whose CNI plugins are listed. */
  readonly pluginFolders?: readonly string[];
  /** CNI plugins whose version is read. */
  readonly plugins?: readonly string[];
}

/** What is in an image, as seen from a container of it. */
export interface ImageProbe {
  /** Name -> path. */
  readonly programs: ReadonlyMap<string, string>;
  /** Program or plugin -> how asking for its version went. */
  readonly versions: ReadonlyMap<string, ProbedVersion>;
  /** Folder -> plugins. */
  readonly plugins: ReadonlyMap<string, ReadonlySet<string>>;
  /** Whether there is a program `/pause`. */
  readonly hasPause: boolean;
}

export interface ProbedVersion {
  /** Exit status: 126 and 127 where it could not be started. */
  readonly status: number;
  /** The first line that it said. */
  readonly text: string;
  /** The version in it, as it is written there: `v1.36.2`, `3.4.23`. */
  readonly version: string | undefined;
}

/**
 * Runs a container of an image for a moment and looks what is in it. Nothing is mounted, and it has no privileges.
 *
 * @throws TsdeployError `environment`, `BASE_UNFIT`, if it has no shell or cannot run here
 */
export async function probeImage(
  engine: ContainerEngine,
  image: string,
  request: ProbeRequest,
  signal: AbortSignal,
): Promise<ImageProbe> {
  const script = await imageScript("probe.sh");
  const args = [
    ...(request.programs ?? []).flatMap((name) => ["--program", name]),
    ...(request.versions ?? []).flatMap((name) => ["--version", name]),
    ...(request.pluginFolders ?? []).flatMap((folder) => ["--plugins", folder]),
    ...(request.plugins ?? []).flatMap((file) => ["--plugin", file]),
  ];
  const { id, stdin } = await engine
    .runAttached(containerName("helper", nanoid(6)), {
      component: "helper",
      image,
      // Ends when its standard input does: with the connection of whoever started it.
      command: ["cat"],
      env: { PATH: imagePath },
      binds: [],
      labels: { [labels.component]: "helper" },
      hostPid: false,
      privileged: false,
      hostCgroupNamespace: false,
      restartPolicy: "no",
    })
    .catch((error: unknown) => {
      throw unfit(image, error);
    });
  stdin.on("error", () => undefined);
  try {
    const { exitCode, stdout, stderr } = await engine
      .exec(id, ["sh", "-c", script, "probe.sh", ...args], { signal })
      .catch((error: unknown) => {
        throw unfit(image, error);
      });
    if (exitCode !== 0) throw unfit(image, new EngineError(0, stderr.trim() || `sh ended with status ${exitCode}`));
    return parseProbe(stdout.toString());
  } finally {
    await engine.removeContainer(id).catch(() => undefined);
  }
}

/** Reads what the script printed. */
export function parseProbe(text: string): ImageProbe {
  const programs = new Map<string, string>();
  const versions = new Map<string, ProbedVersion>();
  const plugins = new Map<string, Set<string>>();
  let hasPause = false;
  for (const line of text.split("\n")) {
    const [kind, name = "", value = "", ...rest] = line.split(" ");
    if (kind === "program") programs.set(name, value);
    if (kind === "plugin") plugins.set(name, (plugins.get(name) ?? new Set()).add(value));
    if (kind === "pause") hasPause = true;
    if (kind === "version") {
      const said = rest.join(" ");
      // catatonit: `tini version 0.1.7_catatonit`
      const version = /v?\d+\.\d+\.\d+[^\s",;)_]*/.exec(said)?.[0];
      versions.set(name, { status: Number(value), text: said, version });
    }
  }
  return { programs, versions, plugins, hasPause };
}

function unfit(image: string, error: unknown): unknown {
  if (!(error instanceof EngineError)) return error;
  const problem = {
    code: "BASE_UNFIT",
    message: `nothing can be run from the image ${image}: ${messageOf(error).trim()}`,
    hint: "Name an image by --base that has a shell, coreutils and Bash, such as Debian's, for this Docker's architecture.",
  };
  return new TsdeployError("environment", problem, { cause: error });
}
