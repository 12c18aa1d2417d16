import { type ErrorKind, messageOf, type Problem, TsdeployError } from "../model/errors.js";

/** The API server answered, with a refusal. Where nobody knows better, the user gets Kubernetes' own words. */
export class ApiError extends TsdeployError {
  /** HTTP status. */
  readonly status: number;
  /** Kubernetes' word, such as `NotFound`; empty if what answered did not speak as Kubernetes does. */
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(...refusal("the API server", status, reason, message));
    this.name = "ApiError";
    this.message = message;
    this.status = status;
    this.reason = reason;
  }
}

const wrongCaCodes = new Set([
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "CERT_SIGNATURE_FAILURE",
  "CERT_UNTRUSTED",
  "INVALID_CA",
]);

/** What socat puts before the system's own words: `socat: 2026/01/31 10:00:00 socat[7] E connect(5, …, 16): `. */
const socatNoise = /^socat: \S+ \S+ socat\[\d+\] \w (\w+\(.*\): )?/;

/** Whether the certificate was refused for its dates. */
export function isClockFault(error: unknown): boolean {
  return ["CERT_NOT_YET_VALID", "CERT_HAS_EXPIRED"].includes(codeOf(error));
}

/** What a failed connection to an API server means to the user; what is one of our errors already stays as it is. */
export function connectionFault(server: string, error: unknown): TsdeployError {
  if (error instanceof TsdeployError) return error;
  const code = codeOf(error);
  if (wrongCaCodes.has(code)) return caMismatch(server, { cause: error });
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return new TsdeployError(
      "unreachable",
      {
        code: "ADDRESS_MISMATCH",
        message: `the API server's certificate is not for the address in ${server}`,
        hint:
          "Use another address of the master, or add this one there: `tsdeploy master --apiserver-san ADDRESS`. If the " +
          "master's own address has changed, run `tsdeploy master` there.",
      },
      { cause: error },
    );
  }
  // etcd and others that insist on a client certificate.
  if (code.includes("_ALERT_") || messageOf(error).includes(" alert ")) {
    return notKubernetes(server, "it ended the TLS handshake", { cause: error });
  }
  // OpenSSL and the HTTP parser fail on bytes of another protocol.
  if (code === "EPROTO" || code.startsWith("ERR_SSL_") || code.startsWith("HPE_")) {
    return notKubernetes(server, "what listens there does not speak HTTPS", { cause: error });
  }
  return new TsdeployError(
    "unreachable",
    {
      code: "API_UNREACHABLE",
      message: `the API server ${server} cannot be reached: ${messageOf(error).replace(socatNoise, "")}`,
      hint: "Check the address, that the master runs (`tsdeploy status` there), and that no firewall is in between.",
    },
    { cause: error },
  );
}

/** Certificate and clock do not agree. `serverMs` is the far clock, if that is known. */
export function clockFault(
  server: string,
  facts: { readonly validFrom: string; readonly validTo: string; readonly hereMs: number; readonly serverMs?: number },
): TsdeployError {
  const { validFrom, validTo, hereMs, serverMs } = facts;
  const there = serverMs === undefined ? "" : `, there it is ${new Date(serverMs).toISOString()}`;
  const here = new Date(hereMs).toISOString();
  const expiredThere = (serverMs ?? hereMs) > Date.parse(validTo);
  return new TsdeployError("environment", {
    code: "CLOCK_SKEW",
    message: `the certificate of ${server} is valid from ${validFrom} to ${validTo}, but here it is ${here}${there}`,
    hint: expiredThere
      ? "Run `tsdeploy master` on the master: it renews certificates."
      : "Set the clocks of both machines by NTP.",
  });
}

export function caMismatch(server: string, options: { readonly cause?: unknown } = {}): TsdeployError {
  return new TsdeployError(
    "unreachable",
    {
      code: "CA_MISMATCH",
      message: `${server} is another cluster than expected: its certificate authority is not the one that was pinned`,
      hint: "Check the address; if the cluster was made anew, get a new token there: `tsdeploy token create`.",
    },
    options,
  );
}

export function notKubernetes(
  server: string,
  what: string,
  options: { readonly cause?: unknown } = {},
): TsdeployError {
  return new TsdeployError(
    "unreachable",
    {
      code: "NOT_KUBERNETES",
      message: `${server} is not a Kubernetes API server: ${what}`,
      hint: "Name the master's address, and its port if that is not 6443.",
    },
    options,
  );
}

export function tokenRefused(server: string, why: string): TsdeployError {
  return new TsdeployError("unreachable", {
    code: "TOKEN_REFUSED",
    message: `${server} refuses the join token: ${why}`,
    hint: "Make a new one on the master: `tsdeploy token create`.",
  });
}

/** For the user: an answer nobody handled. */
export function apiFault(server: string, error: ApiError): TsdeployError {
  const { status, reason, message } = error;
  return new TsdeployError(...refusal(`the API server ${server}`, status, reason, message), { cause: error });
}

/** 401 and 403 are about credentials, the rest is Kubernetes' own words. */
function refusal(who: string, status: number, reason: string, message: string): [ErrorKind, Problem] {
  const refused = status === 401 || status === 403;
  const answer = reason === String(status) ? reason : `${status} ${reason}`.trim();
  return [
    refused ? "unreachable" : "failed",
    {
      code: refused ? "API_REFUSED" : "API_ERROR",
      message: `${who} answered ${answer}: ${message}`,
      hint: refused
        ? "Check the credentials; the master's /etc/kubernetes/admin.conf has an administrator's."
        : "If this does not say why, look at the API server's log: `tsdeploy logs apiserver` on the master.",
    },
  ];
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}
