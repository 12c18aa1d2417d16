import { connectEngine } from "../docker/connectEngine.js";
import { type ContainerEngine, EngineError } from "../docker/containerEngine.js";
import { patientEngine } from "../docker/patientEngine.js";
import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";
import type { CommonOptions } from "../model/options.js";
import type { RunContext } from "../report/runContext.js";

/** Of commands without `--timeout`. */
const defaultTimeoutMs = 120_000;

/**
 * Connects to the Docker that the options name, and lets go of it when `use` ends. No call of the engine hangs: see
 * `patientEngine`. Plain TCP to another machine is warned about, not refused, as dockerd itself and its CLI do: whoever
 * configured it wanted it, and may have a tunnel.
 *
 * @throws TsdeployError `failed` with `DOCKER_FAILED` for an answer of the daemon that nobody foresaw; as `use` does
 */
export async function withEngine<T>(
  options: Pick<CommonOptions, "dockerHost" | "dockerContext"> & { readonly timeoutMs?: number },
  context: RunContext,
  use: (engine: ContainerEngine) => Promise<T>,
): Promise<T> {
  const { dockerHost, dockerContext, timeoutMs = defaultTimeoutMs } = options;
  const connected = await connectEngine(
    defined({ dockerHost, dockerContext }),
    context.env,
    { signal: context.signal },
  );
  if (connected.isReadableOnTheWay) {
    context.report({
      kind: "warning",
      message:
        `Docker at ${connected.endpoint} is reached without TLS: others on the way can read this cluster's CA keys and ` +
        "tokens, and whoever reaches that port is root there. Use ssh://, or TLS (DOCKER_TLS_VERIFY, DOCKER_CERT_PATH).",
      danger: true,
    });
  }
  const engine = patientEngine(connected, { ...context, timeoutMs });
  try {
    return await use(engine);
  } catch (error) {
    throw refusedByDocker(error, engine);
  } finally {
    await engine.close();
  }
}

/** What a daemon cannot or will not do is no bug of ours; a request that it does not understand is. */
function refusedByDocker(error: unknown, { endpoint }: ContainerEngine): unknown {
  if (!(error instanceof EngineError)) return error;
  if (error.status < 500 && error.status !== 401 && error.status !== 403) return error;
  const message = `Docker at ${endpoint} refuses: ${error.message} (status ${error.status})`;
  const hint = "Look at the log of that dockerd (`journalctl -u docker`).";
  return new TsdeployError("failed", { code: "DOCKER_FAILED", message, hint }, { cause: error });
}
