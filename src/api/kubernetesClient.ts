import { Agent, type ClientRequest, type IncomingMessage, request as httpRequest } from "node:http";
import type { Duplex } from "node:stream";
import { isDeepStrictEqual } from "node:util";
import { connect as tlsConnect, type TLSSocket } from "node:tls";
import { isAddress } from "../model/addressRanges.js";
import { defined } from "../model/defined.js";
import { aborted, TsdeployError } from "../model/errors.js";
import type { KeyPair } from "../model/identity.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import { withAnySignal } from "../model/signals.js";
import { ApiError, clockFault, connectionFault, isClockFault, notKubernetes } from "./apiFault.js";
import { mergeObject } from "./mergeObject.js";
import { collectionOf, pathOf } from "./pathOf.js";

export { ApiError } from "./apiFault.js";

export interface KubernetesClientOptions {
  /** `https://10.0.0.5:6443`: for messages, and the name that the certificate must be for. */
  readonly server: string;
  /** A raw byte stream to the API server. */
  readonly connect: () => Promise<Duplex>;
  /** Undefined trusts whoever answers: only for what is verified otherwise. */
  readonly caPem?: string;
  readonly credentials?: { readonly keyPair: KeyPair } | { readonly token: string };
  /** For one request, connecting included. Default 10 s. */
  readonly timeoutMs?: number;
}

export interface RequestOptions {
  readonly signal?: AbortSignal;
}

export interface ApplyOptions extends RequestOptions {
  /** Called with the object as it is, undefined if there is none, before it is written. */
  readonly onWrite?: (existing: KubernetesObject | undefined) => void;
}

export type Applied = "created" | "changed" | "unchanged";

export type PatchType = "merge" | "strategic" | "json";

const patchTypes: Readonly<Record<PatchType, string>> = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
};

/**
 * A small client of the Kubernetes API over any byte stream, such as an exec of `socat` on a far host. Connections are
 * kept and reused; `close` ends them.
 *
 * Every method throws an `ApiError` if the API server refuses, and a `TsdeployError` if it does not come to that:
 * `API_UNREACHABLE`, `NOT_KUBERNETES`, `CA_MISMATCH`, `ADDRESS_MISMATCH`, `CLOCK_SKEW`, `ABORTED`.
 */
export class KubernetesClient {
  readonly server: string;
  readonly #options: KubernetesClientOptions;
  readonly #agent: TlsAgent;

  constructor(options: KubernetesClientOptions) {
    this.server = options.server;
    this.#options = options;
    this.#agent = new TlsAgent(options);
  }

  get<T = KubernetesObject>(path: string, options: RequestOptions = {}): Promise<T> {
    return this.#json<T>("GET", path, options);
  }

  /** The items of a list. `query`: `labelSelector`, `fieldSelector`, … */
  async list<T = KubernetesObject>(
    path: string,
    options: RequestOptions & { readonly query?: Readonly<Record<string, string>> } = {},
  ): Promise<T[]> {
    const query = new URLSearchParams(options.query).toString();
    const { items } = await this.#json<{ items: T[] | null }>("GET", query ? `${path}?${query}` : path, options);
    return items ?? [];
  }

  create<T extends KubernetesObject>(object: T, options: RequestOptions = {}): Promise<T> {
    return this.post<T>(collectionOf(object), object, options);
  }

  /** For subresources, such as a pod's `eviction`. */
  post<T = unknown>(path: string, body: unknown, options: RequestOptions = {}): Promise<T> {
    return this.#json<T>("POST", path, options, body);
  }

  replace<T extends KubernetesObject>(object: T, options: RequestOptions = {}): Promise<T> {
    return this.#json<T>("PUT", pathOf(object), options, object);
  }

  patch<T = KubernetesObject>(
    path: string,
    body: unknown,
    options: RequestOptions & { readonly type?: PatchType } = {},
  ): Promise<T> {
    return this.#json<T>("PATCH", path, options, body, patchTypes[options.type ?? "merge"]);
  }

  /** `body` is a DeleteOptions. */
  delete(path: string, options: RequestOptions & { readonly body?: unknown } = {}): Promise<unknown> {
    return this.#json("DELETE", path, options, options.body);
  }

  /** Creates the object, or sets the fields that it has and leaves the others; lists are replaced whole. */
  async apply(object: KubernetesObject, options: ApplyOptions = {}): Promise<Applied> {
    for (let triesLeft = 5; ; triesLeft -= 1) {
      try {
        const existing = await this.#getIfThere(pathOf(object), options);
        if (existing === undefined) {
          options.onWrite?.(undefined);
          await this.create(object, options);
          return "created";
        }
        const merged = mergeObject(existing, object) as KubernetesObject;
        if (isDeepStrictEqual(merged, existing)) return "unchanged";
        options.onWrite?.(existing);
        await this.replace(merged, options);
        return "changed";
      } catch (error) {
        // Someone else was faster: look again.
        if (!(error instanceof ApiError && error.status === 409 && triesLeft > 0)) throw error;
      }
    }
  }

  /** What the API server answers in another form than JSON, such as its metrics. */
  text(path: string, options: RequestOptions = {}): Promise<string> {
    return this.#send("GET", path, options);
  }

  /** Resolves if the API server says that it is well. @throws ApiError with what it says instead */
  async healthz(options: RequestOptions = {}): Promise<void> {
    await this.#send("GET", "/healthz", options);
  }

  /** The certificates that the server showed last, its own first, PEM; empty before the first connection. */
  get peerCertificates(): readonly string[] {
    return this.#agent.peerCertificates;
  }

  close(): void {
    this.#agent.destroy();
  }

  /** Lets go of kept connections, before what carries them is gone: a later request makes a new one. */
  disconnect(): void {
    this.#agent.disconnect();
  }

  async #getIfThere(path: string, options: RequestOptions): Promise<KubernetesObject | undefined> {
    try {
      return await this.get(path, options);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #json<T>(
    method: string,
    path: string,
    options: RequestOptions,
    body?: unknown,
    contentType = "application/json",
  ): Promise<T> {
    const content = body === undefined ? undefined : { text: JSON.stringify(body), type: contentType };
    const answer = await this.#send(method, path, options, content);
    const parsed = parseJson(answer);
    if (parsed === undefined) throw notKubernetes(this.server, `it answered ${method} ${path} with something else than JSON`);
    return parsed as T;
  }

  async #send(
    method: string,
    path: string,
    options: RequestOptions,
    content?: { readonly text: string; readonly type: string },
  ): Promise<string> {
    const timeoutMs = this.#options.timeoutMs ?? 10_000;
    const timeout = AbortSignal.timeout(timeoutMs);
    return withAnySignal([timeout, options.signal], async (signal) => {
      for (let isRetry = false; ; isRetry = true) {
        const exchange = this.#start(method, path, content);
        try {
          const { status, text } = await finish(exchange, signal);
          if (status >= 200 && status < 300) return text;
          throw refusal(status, text);
        } catch (error) {
          if (error instanceof ApiError) throw error;
          if (options.signal?.aborted && !isTimeout(options.signal.reason)) {
            throw aborted();
          }
          if (timeout.aborted) throw connectionFault(this.server, new Error(`no answer within ${timeoutMs / 1000} s`));
          if (signal.aborted) throw connectionFault(this.server, new Error("no answer in time"));
          // A kept connection may have been closed by an API server that restarted.
          if (exchange.reusedSocket && !exchange.res && !isRetry) continue;
          if (isClockFault(error)) throw await this.#clockFault(signal);
          throw connectionFault(this.server, error);
        }
      }
    });
  }

  #start(
    method: string,
    path: string,
    content: { readonly text: string; readonly type: string } | undefined,
  ): ClientRequest & { res?: IncomingMessage } {
    const { credentials } = this.#options;
    const { host } = new URL(this.server);
    const request = httpRequest({
      agent: this.#agent,
      method,
      path,
      headers: {
        host,
        accept: "application/json",
        "user-agent": "tsdeploy",
        ...(content && { "content-type": content.type, "content-length": Buffer.byteLength(content.text) }),
        ...(credentials && "token" in credentials && { authorization: `Bearer ${credentials.token}` }),
      },
    });
    // One without a listener would end the process, were it to come after an abort.
    request.on("error", () => undefined);
    request.end(content?.text);
    return request;
  }

  /** Reads the far clock, by an unverified connection if need be: it is only shown. */
  async #clockFault(signal: AbortSignal): Promise<TsdeployError> {
    const { server, connect } = this.#options;
    const stranger = new KubernetesClient({ server, connect });
    try {
      const exchange = stranger.#start("GET", "/healthz", undefined);
      const { date } = await finish(exchange, signal);
      const { validFrom = "?", validTo = "?" } = stranger.#agent.validity;
      const serverMs = Date.parse(date ?? "");
      const facts = { validFrom, validTo, hereMs: Date.now(), ...(Number.isFinite(serverMs) && { serverMs }) };
      return clockFault(server, facts);
    } catch (error) {
      return connectionFault(server, error);
    } finally {
      stranger.close();
    }
  }
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly date?: string;
}

function finish(request: ClientRequest, signal: AbortSignal): Promise<Answer> {
  return new Promise((resolve, reject) => {
    // Node does not tell a request that waits for its connection of an abort.
    const abort = (): void => {
      reject(new Error("aborted"));
      request.destroy();
    };
    const settle = (): void => {
      signal.removeEventListener("abort", abort);
    };
    if (signal.aborted) {
      abort();
      return;
    }
    signal.addEventListener("abort", abort);
    request.on("error", (error) => {
      settle();
      reject(error);
    });
    request.on("response", (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", (error) => {
        settle();
        reject(error);
      });
      response.on("end", () => {
        settle();
        const { statusCode = 0, headers } = response;
        resolve({
          status: statusCode,
          text: Buffer.concat(chunks).toString(),
          ...defined({ date: headers.date }),
        });
      });
    });
  });
}

/** Speaks TLS over the injected streams, and keeps the connections. */
class TlsAgent extends Agent {
  peerCertificates: readonly string[] = [];
  validity: { readonly validFrom?: string; readonly validTo?: string } = {};
  readonly #client: KubernetesClientOptions;
  readonly #sockets = new Set<TLSSocket>();
  #isClosed = false;

  constructor(client: KubernetesClientOptions) {
    super({ keepAlive: true, maxSockets: 4 });
    this.#client = client;
  }

  override createConnection(_options: unknown, done?: (error: Error | null, stream: Duplex) => void): undefined {
    const fail = (error: unknown): void => {
      (done as ((error: Error) => void) | undefined)?.(error instanceof Error ? error : new Error(String(error)));
    };
    const start = (stream: Duplex): void => {
      // It may have more than one error; without a listener that would end the process.
      stream.on("error", () => undefined);
      if (this.#isClosed) {
        stream.destroy();
        fail(new Error("the client was closed"));
        return;
      }
      const socket = this.#startTls(stream);
      const failed = (error: Error): void => {
        socket.destroy();
        stream.destroy();
        fail(error);
      };
      socket.once("error", failed);
      stream.once("error", failed);
      socket.on("error", () => undefined);
      socket.once("secureConnect", () => {
        socket.off("error", failed);
        this.#notePeer(socket);
        done?.(null, socket);
      });
      socket.once("close", () => {
        this.#sockets.delete(socket);
        stream.destroy();
      });
      this.#sockets.add(socket);
    };
    // A certificate and key that OpenSSL cannot read make it throw.
    this.#client.connect().then(start).catch(fail);
    return undefined;
  }

  override destroy(): void {
    this.#isClosed = true;
    this.disconnect();
  }

  disconnect(): void {
    super.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }

  #startTls(stream: Duplex): TLSSocket {
    const { server, caPem, credentials } = this.#client;
    const host = new URL(server).hostname.replace(/^\[(.*)\]$/, "$1");
    const keyPair = credentials && "keyPair" in credentials ? credentials.keyPair : undefined;
    try {
      return tlsConnect({
        socket: stream,
        host,
        // SNI knows no addresses (RFC 6066).
        ...(!isAddress(host) && { servername: host }),
        ...(caPem === undefined ? { rejectUnauthorized: false } : { ca: caPem }),
        ...(keyPair && { cert: keyPair.certificate, key: keyPair.privateKey }),
      });
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  #notePeer(socket: TLSSocket): void {
    let certificate = socket.getPeerX509Certificate();
    this.validity = certificate ? { validFrom: certificate.validFrom, validTo: certificate.validTo } : {};
    const chain: string[] = [];
    while (certificate && !chain.includes(certificate.toString())) {
      chain.push(certificate.toString());
      certificate = certificate.issuerCertificate;
    }
    this.peerCertificates = chain;
  }
}

function refusal(status: number, text: string): ApiError {
  const body = parseJson(text);
  if (typeof body === "object" && body !== null && "kind" in body && body.kind === "Status") {
    const { reason = "", message = "" } = body as { reason?: string; message?: string };
    return new ApiError(status, reason || String(status), message || `HTTP status ${status}`);
  }
  const lines = text.trim().split("\n");
  // /healthz lists what is well first.
  const ill = lines.filter((line) => line.startsWith("[-]"));
  const said = (ill.map((line) => line.replace(/ failed: .*/, "")).join(", ") || (lines[0] ?? "")).slice(0, 200);
  return new ApiError(status, "", said || `HTTP status ${status}`);
}

function isTimeout(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "TimeoutError";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
