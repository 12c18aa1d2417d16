import { diskFull } from "../model/diskFull.js";
import { type ErrorKind, TsdeployError } from "../model/errors.js";
import type { EngineError } from "./containerEngine.js";

/** What went wrong with a pull, in a person's words, and whether another try may go better. */
export interface PullFailure {
  readonly error: TsdeployError;
  readonly retryable: boolean;
}

interface Rule {
  readonly pattern: RegExp;
  readonly kind: ErrorKind;
  readonly code: string;
  /** Follows the image's reference. */
  readonly what: string;
  readonly hint: string;
  readonly retryable?: true;
}

/** Regular expressions, in any case. */
function anyOf(...texts: readonly string[]): RegExp {
  return new RegExp(texts.join("|"), "i");
}

const trustHint =
  "Have that machine's Docker trust the registry: its authority as /etc/docker/certs.d/REGISTRY/ca.crt, or " +
  "insecure-registries in /etc/docker/daemon.json.";

const unauthorized = {
  kind: "unreachable",
  code: "IMAGE_UNAUTHORIZED",
  what: "is refused by its registry",
  hint: "Log in to that registry here: `docker login REGISTRY`.",
} as const;

/**
 * By the daemon's words: it gives status 500 to nearly everything. The first that matches counts, so the special ones
 * come first: "not found" is in many of them.
 */
const rules: readonly Rule[] = [
  {
    pattern: anyOf(
      "no matching manifest for",
      "no match for platform",
      "does not (provide|match) the specified platform",
    ),
    kind: "environment",
    code: "IMAGE_PLATFORM",
    what: "is not there for that machine's platform",
    hint: "Choose an image for its architecture by --image.",
  },
  {
    pattern: /schema ?1|manifest\.v1\+(prettyjws|json)|unsupported manifest|unsupported schema version/i,
    kind: "environment",
    code: "IMAGE_FORMAT_OLD",
    what: "is stored in a form that this Docker does not read any more (manifest schema 1)",
    hint: "Or pull it with Docker 25, push it to a registry of your own, and name that by --image or --registry.",
  },
  {
    pattern: diskFull,
    kind: "environment",
    code: "DOCKER_DISK_FULL",
    what: "has no room on that machine",
    hint: "Make room below Docker's root directory: `docker system df`.",
  },
  {
    pattern: /toomanyrequests|too many requests|rate limit/i,
    kind: "unreachable",
    code: "REGISTRY_RATE_LIMIT",
    what: "is refused for now: too many pulls",
    hint: "Wait, log in (`docker login`), or use another registry by --registry.",
  },
  {
    pattern: anyOf("no basic auth", "authentication required", "incorrect username or password"),
    ...unauthorized,
  },
  {
    // Docker Hub does not distinguish a private repository from one that does not exist, which is by far more likely.
    pattern: /repository does not exist/i,
    kind: "environment",
    code: "IMAGE_NOT_FOUND",
    what: "does not exist, or is private",
    hint: "Check --image, --registry and --k8s-version; for a private image, `docker login` first.",
  },
  {
    pattern: anyOf(
      "unauthorized",
      "(?<!permission )denied",
      "authorization failed",
      "403 Forbidden",
      "insufficient_scope",
    ),
    ...unauthorized,
  },
  {
    pattern: /x509:|certificate|server gave HTTP response to HTTPS client|tls: /i,
    kind: "unreachable",
    code: "REGISTRY_UNREACHABLE",
    what: "cannot be had: the registry's TLS certificate is not trusted",
    hint: trustHint,
  },
  {
    pattern: /no such host/i,
    kind: "unreachable",
    code: "REGISTRY_UNREACHABLE",
    what: "cannot be had: the registry's name is not known on that machine",
    hint: "Check the name and that machine's name servers.",
  },
  {
    pattern: anyOf(
      "connection refused",
      "i/o timeout",
      "no route to host",
      "network is unreachable",
      "server misbehaving",
      "timeout exceeded",
      "handshake timeout",
      "request canceled while waiting",
      "failure in name resolution",
      "proxyconnect",
    ),
    kind: "unreachable",
    code: "REGISTRY_UNREACHABLE",
    what: "cannot be had: the registry cannot be reached from that machine",
    hint: "Check that machine's network and Docker's proxy settings.",
    retryable: true,
  },
  {
    pattern: /manifest unknown|name unknown|not found|name_unknown|manifest_unknown/i,
    kind: "environment",
    code: "IMAGE_NOT_FOUND",
    what: "does not exist",
    hint: "Check --image, --registry and --k8s-version.",
  },
  {
    pattern: anyOf(
      "\\bEOF\\b",
      "connection reset",
      "broken pipe",
      "verification failed",
      "failed size validation",
      "connection (was )?(closed|lost)",
      "stream error",
      "GOAWAY",
      "internal server error",
      "bad gateway",
      "service unavailable",
      "gateway timeout",
      "unexpected (http )?status",
      "unexpected commit digest",
      "expected HTTP 206",
    ),
    kind: "unreachable",
    code: "PULL_BROKEN",
    what: "did not come whole",
    hint: "Try again; look at the network between that machine and the registry.",
    retryable: true,
  },
];

/** Finds out by the daemon's text (Docker 20.10 to 29, both image stores) what a pull failed of. */
export function pullFailure(reference: string, error: EngineError): PullFailure {
  const rule = rules.find(({ pattern }) => pattern.test(withoutReference(error.message, reference)));
  const { kind, code, what, hint } = rule ?? {
    kind: "failed",
    code: "PULL_FAILED",
    what: "could not be pulled",
    hint: `Try \`docker pull ${reference}\` on that machine.`,
  };
  return {
    error: new TsdeployError(kind, { code, message: `${reference} ${what}: ${error.message}`, hint }, { cause: error }),
    retryable: rule?.retryable ?? false,
  };
}

/** The deadline of a pull has passed. */
export function pullTimeout(reference: string, timeoutMs: number): TsdeployError {
  return new TsdeployError("failed", {
    code: "PULL_TIMEOUT",
    message: `${reference} was not here after ${Math.round(timeoutMs / 1000)} s`,
    hint: "Give it longer by --pull-timeout; what was pulled so far is kept by Docker.",
  });
}

/** A name must not look like a reason: `example.com/certificate-denied:401`. */
function withoutReference(message: string, reference: string): string {
  const name = reference.replace(/@.*$/, "").replace(/:[^/]*$/, "");
  const literal = [reference, name].map((text) => text.replace(/[^\w/]/g, "\\$&")).join("|");
  return message.replace(new RegExp(`(?<![\\w.-])(${literal})(?![\\w.-])`, "g"), "IMAGE");
}
