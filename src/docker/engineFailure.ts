import { messageOf, TsdeployError } from "../model/errors.js";
import { EngineError } from "./containerEngine.js";

/** For messages: the endpoint, and what its tunnel said, if it has one. */
export interface FailureContext {
  readonly endpoint: string;
  readonly tunnelSaid?: () => Promise<string>;
}

/**
 * What a request to Docker failed with, in our own errors: an `EngineError` if the daemon answered, else a
 * `TsdeployError` of kind `unreachable`. Our own errors stay what they are, and so does an abort.
 */
export async function engineFailure(error: unknown, context: FailureContext): Promise<Error> {
  if (error instanceof TsdeployError || error instanceof EngineError) {
    return error;
  }
  if (!(error instanceof Error)) {
    return new Error(messageOf(error));
  }
  if (error.name === "AbortError" || error.name === "TimeoutError") {
    return error;
  }
  if ("statusCode" in error && typeof error.statusCode === "number") {
    return new EngineError(error.statusCode, daemonMessage(error), { cause: error });
  }
  return unreachable(error, context);
}

/** docker-modem makes a sentence of the daemon's message. */
function daemonMessage(error: Error): string {
  return error.message.replace(/^\(HTTP code \d+\) [^-]* - /, "").trim();
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ECONNRESET: "the connection broke",
  EPIPE: "the connection broke",
  ENOENT: "there is no such socket",
  ENOTSOCK: "that is no socket",
  ETIMEDOUT: "no answer in time",
  ENOTFOUND: "the host's name is not known",
  EAI_AGAIN: "the name server does not answer",
  EHOSTUNREACH: "there is no way to the host",
  ENETUNREACH: "there is no way to the host",
};

async function unreachable(error: Error, context: FailureContext): Promise<TsdeployError> {
  // Go through the cause's code: an AggregateError of several addresses has no message.
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (code === "EACCES" || code === "EPERM") {
    return new TsdeployError(
      "unreachable",
      {
        code: "DOCKER_PERMISSION",
        message: `no permission to open ${context.endpoint}`,
        hint: "Use sudo, or join the group docker (`sudo usermod -aG docker $USER`) and log in again.",
      },
      { cause: error },
    );
  }
  const said = (await context.tunnelSaid?.()) ?? "";
  const why = said === "" ? (reasons[code] ?? messageOf(error)) : said;
  return new TsdeployError(
    "unreachable",
    {
      code: "DOCKER_UNREACHABLE",
      message: `cannot reach Docker at ${context.endpoint}: ${why}`,
      hint: hintFor(code, context.endpoint),
    },
    { cause: error },
  );
}

function hintFor(code: string, endpoint: string): string {
  if (endpoint.startsWith("ssh://")) {
    return "Look whether dockerd runs on that host, and whether the SSH user may open its socket (group docker).";
  }
  if (code === "EPROTO") {
    return "That port may not speak TLS: 2376 does usually, 2375 does not.";
  }
  if (/CERT|SIGNATURE|SSL|TLS/.test(code)) {
    return "The daemon's certificate or ours is refused: compare ca.pem, cert.pem and key.pem in DOCKER_CERT_PATH.";
  }
  return "Look whether dockerd runs there (`systemctl status docker`), or name another by --host or --context.";
}
