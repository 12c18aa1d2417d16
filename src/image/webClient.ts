import type { Readable } from "node:stream";
import { Agent, EnvHttpProxyAgent, request } from "undici";
import { bypassesProxy, type ProxySettings, proxySettings } from "../config/proxySettings.js";
import { type ErrorKind, messageOf, type Problem, TsdeployError } from "../model/errors.js";

/** The head of an answer, and its body still to come. */
export interface WebAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Readable;
}

/** Gets files by HTTP, through the operator's proxies. */
export interface WebClient {
  /**
   * Follows redirects, but never from https to http.
   *
   * @returns answers of status 200, 206 and 416
   * @throws WebFault for any other, and if there is none
   */
  get(url: string, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<WebAnswer>;
  /** The length of what `get` would give; undefined if the server does not say, for whatever reason. */
  length(url: string, signal: AbortSignal): Promise<number | undefined>;
  close(): Promise<void>;
}

/** A download that did not work. */
export class WebFault extends TsdeployError {
  /** Whether it may well work in a moment. */
  readonly retryable: boolean;

  constructor(kind: ErrorKind, problem: Problem, options: { readonly retryable: boolean; readonly cause?: unknown }) {
    super(kind, problem, { cause: options.cause });
    this.name = "WebFault";
    this.retryable = options.retryable;
  }
}

/** How long a connection, an answer's head, and each next piece of its body may take. */
const connectTimeoutMs = 15_000;
const silenceTimeoutMs = 60_000;
const mostRedirects = 5;

/**
 * Follows `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`.
 *
 * @throws TsdeployError `usage`, `PROXY_INVALID`
 */
export function openWebClient(env: NodeJS.ProcessEnv): WebClient {
  const proxies = proxySettings(env);
  const direct = new Agent(limits);
  const proxied = makeAgent(proxies);
  const agentFor = ({ protocol, hostname, port }: URL): Agent | EnvHttpProxyAgent => {
    const host = hostname.replace(/^\[(.*)\]$/, "$1");
    return bypassesProxy(proxies.noProxy, host, Number(port) || (protocol === "https:" ? 443 : 80)) ? direct : proxied;
  };
  const send = async (
    method: "GET" | "HEAD",
    requested: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<WebAnswer> => {
    let target = new URL(requested);
    const authorization = basicAuthorization(target);
    const { origin } = target;
    for (let redirects = 0; ; redirects++) {
      const isHome = target.origin === origin;
      const answer = await request(withoutCredentials(target), {
        method,
        dispatcher: agentFor(target),
        signal,
        headers: { ...headers, ...(authorization !== undefined && isHome && { authorization }) },
      });
      const location = answer.headers["location"];
      if (![301, 302, 303, 307, 308].includes(answer.statusCode) || typeof location !== "string") {
        const head = Object.entries(answer.headers).map(([name, value]) => [name, [value].flat()[0]] as const);
        return { status: answer.statusCode, headers: Object.fromEntries(head), body: answer.body };
      }
      await answer.body.dump();
      const next = new URL(location, target);
      if (redirects === mostRedirects) throw failed(requested, "it redirects for ever");
      if (!/^https?:$/.test(next.protocol) || (target.protocol === "https:" && next.protocol === "http:")) {
        throw failed(requested, `it redirects to ${shownUrl(next.href)}, which is not https`);
      }
      target = next;
    }
  };
  return {
    get: async (url, headers, signal) => {
      const answer = await send("GET", url, { ...headers, "accept-encoding": "identity" }, signal).catch(
        (error: unknown) => {
          signal.throwIfAborted();
          throw error instanceof WebFault ? error : connectionFault(url, error);
        },
      );
      if ([200, 206, 416].includes(answer.status)) return answer;
      answer.body.on("error", () => undefined).destroy();
      throw statusFault(url, answer.status);
    },
    length: async (url, signal) => {
      const answer = await send("HEAD", url, { "accept-encoding": "identity" }, signal).catch(() => undefined);
      signal.throwIfAborted();
      answer?.body.on("error", () => undefined).resume();
      const length = answer?.status === 200 ? Number(answer.headers["content-length"]) : NaN;
      return Number.isSafeInteger(length) ? length : undefined;
    },
    close: async () => {
      await Promise.all([direct.destroy(), proxied.destroy()]);
    },
  };
}

const limits = {
  connect: { timeout: connectTimeoutMs },
  headersTimeout: silenceTimeoutMs,
  bodyTimeout: silenceTimeoutMs,
} as const;

function makeAgent({ httpProxy, httpsProxy }: ProxySettings): EnvHttpProxyAgent {
  try {
    return new EnvHttpProxyAgent({
      ...limits,
      httpProxy,
      httpsProxy,
      // Its own rules know no networks.
      noProxy: "",
      // Many proxies let CONNECT through to port 443 alone.
      proxyTunnel: false,
    });
  } catch (error) {
    // Not its value: there may be a password in it.
    const problem = {
      code: "PROXY_INVALID",
      message: "HTTP_PROXY or HTTPS_PROXY is no URL of a proxy",
      hint: "Write it as http://proxy.example.com:3128.",
    };
    throw new TsdeployError("usage", problem, { cause: error });
  }
}

/** A URL as it may be shown: without user and password, and without a query, which may be a signature. */
export function shownUrl(url: string): string {
  const { origin, pathname } = new URL(url);
  return origin + pathname;
}

/** What went wrong with a connection, also half-way. */
export function connectionFault(url: string, error: unknown): WebFault {
  const code = codeOf(error);
  const isTls = /CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO/.test(code);
  return new WebFault(
    "unreachable",
    {
      code: "DOWNLOAD_FAILED",
      message: `cannot download ${shownUrl(url)}: ${reasonOf(error)}`,
      hint: isTls
        ? "Where a proxy signs with a certificate of its own, name that by NODE_EXTRA_CA_CERTS."
        : "Without a way there: HTTPS_PROXY for a proxy, --mirror for a server of your own, --binaries for a folder.",
    },
    // No such name, a refusal to prove who it is: the same again in a second.
    { retryable: !isTls && code !== "ENOTFOUND" && code !== "ERR_INVALID_URL", cause: error },
  );
}

function failed(url: string, why: string): WebFault {
  const problem = { code: "DOWNLOAD_FAILED", message: `cannot download ${shownUrl(url)}: ${why}` };
  return new WebFault("unreachable", { ...problem, hint: "Open the URL in a browser to see what is there." }, {
    retryable: false,
  });
}

function statusFault(url: string, status: number): WebFault {
  if (status === 404 || status === 410) {
    const hint = "Compare the version with the project's releases, and a mirror's layout with the README's.";
    const problem = { code: "ARTIFACT_NOT_FOUND", message: `there is no ${shownUrl(url)} (status ${status})`, hint };
    return new WebFault("environment", problem, { retryable: false });
  }
  const retryable = status >= 500 || [408, 425, 429].includes(status);
  const hint = retryable
    ? "The server has trouble of its own: run the command again later, it continues from what is there."
    : "Open the URL in a browser: a server or proxy may ask for a password (in --mirror: https://user:password@…).";
  const message = `cannot download ${shownUrl(url)}: the server answers with status ${status}`;
  return new WebFault("unreachable", { code: "DOWNLOAD_FAILED", message, hint }, { retryable });
}

function basicAuthorization({ username, password }: URL): string | undefined {
  if (username === "" && password === "") return undefined;
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Basic ${Buffer.from(credentials).toString("base64")}`;
}

function withoutCredentials(url: URL): URL {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  return bare;
}

function codeOf(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
  return typeof code === "string" ? code : "";
}

/** Node joins the addresses that it tried into one error without a message. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return messageOf(error) || codeOf(error);
}
