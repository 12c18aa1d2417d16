import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { parse } from "yaml";
import type { Machine } from "./machine.js";
import { patience } from "./patience.js";

const path = "/api/v1/namespaces/default/configmaps";
const labels = { written: "by-test" };

interface ConfigMap {
  readonly metadata: { readonly name: string };
  readonly data: { readonly content: string };
}

interface ConfigMapList {
  readonly metadata: { readonly continue?: string };
  readonly items: readonly ConfigMap[];
}

/**
 * Has ConfigMaps written, one after the other in each of some lanes, and knows which have been acknowledged. A lane
 * asks its own master, without a balancer between, and goes to the next when that does not take the write.
 */
export class Writer {
  readonly #masters: readonly Machine[];
  #agent = new Agent();
  readonly #acknowledged = new Set<string>();
  #begun = 0;
  #lastMs = 0;
  #gapMs = 0;
  #isStopped = false;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(masters: readonly Machine[]) {
    this.#masters = masters;
  }

  /** @param kubeconfig of an administrator */
  start(kubeconfig: string): void {
    this.#agent = new Agent({ ...credentialsIn(kubeconfig), keepAlive: true });
    this.#lastMs = performance.now();
    this.#ended = Promise.all(this.#masters.map((_, lane) => this.#write(lane)));
  }

  /** How many writes have been acknowledged. */
  get count(): number {
    return this.#acknowledged.size;
  }

  /** The longest time without any acknowledged write since this was asked last. */
  takeGapMs(): number {
    const gapMs = Math.max(this.#gapMs, performance.now() - this.#lastMs);
    this.#gapMs = 0;
    return Math.round(gapMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  /** Those acknowledged writes that a master does not have now, as far as one can tell by reading through its etcd. */
  async lostOn(machine: Machine): Promise<string[]> {
    const acknowledged = [...this.#acknowledged];
    const found = new Map<string, string>();
    const query = new URLSearchParams({ limit: "500", labelSelector: "written=by-test" });
    do {
      const { metadata, items } = JSON.parse(await this.#ask(machine, "GET", `${path}?${query.toString()}`)) as ConfigMapList;
      for (const { metadata: { name }, data } of items) found.set(name, data.content);
      query.set("continue", metadata.continue ?? "");
    } while (query.get("continue") !== "");
    return acknowledged.filter((name) => found.get(name) !== contentOf(name));
  }

  async #write(lane: number): Promise<void> {
    let turn = lane;
    let name = this.#next();
    while (!this.#isStopped) {
      if (await this.#isTaken(turn, name)) {
        this.#acknowledge(name);
        name = this.#next();
        turn = lane;
        await delay(300 * patience);
      } else {
        turn++;
        await delay(50);
      }
    }
  }

  #next(): string {
    return `write-${this.#begun++}`;
  }

  /** Whether a master says that it has the object: also that it was there, which an answer that was lost had made. */
  async #isTaken(turn: number, name: string): Promise<boolean> {
    const master = this.#masters[turn % this.#masters.length];
    const metadata = { name, labels };
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { content: contentOf(name) } };
    try {
      if (!master) return false;
      await this.#ask(master, "POST", path, JSON.stringify(object));
      return true;
    } catch (error) {
      return error instanceof Refused && error.status === 409;
    }
  }

  #acknowledge(name: string): void {
    const now = performance.now();
    this.#gapMs = Math.max(this.#gapMs, now - this.#lastMs);
    this.#lastMs = now;
    this.#acknowledged.add(name);
  }

  async #ask({ address: host }: Machine, method: string, to: string, body?: string): Promise<string> {
    const signal = AbortSignal.timeout(5_000 * patience);
    const headers = { "content-type": "application/json" };
    const asked = request({ host, port: 6443, method, path: to, agent: this.#agent, signal, headers });
    // Whoever waits for the answer hears of it.
    asked.on("error", () => undefined).end(body);
    const [response] = (await once(asked, "response", { signal })) as [IncomingMessage];
    const answer = await text(response);
    const status = response.statusCode ?? 0;
    if (status >= 300) throw new Refused(status, answer);
    return answer;
  }
}

class Refused extends Error {
  readonly status: number;

  constructor(status: number, answer: string) {
    super(`status ${status}: ${answer}`);
    this.status = status;
  }
}

function contentOf(name: string): string {
  return `content of ${name}`;
}

/** What a TLS client needs of a kubeconfig that names no files. */
function credentialsIn(kubeconfig: string): { readonly ca: string; readonly cert: string; readonly key: string } {
  interface Kubeconfig {
    readonly clusters: readonly [{ readonly cluster: Readonly<Record<string, string>> }];
    readonly users: readonly [{ readonly user: Readonly<Record<string, string>> }];
  }
  const { clusters, users } = parse(kubeconfig) as Kubeconfig;
  const decoded = (text: string | undefined): string => Buffer.from(text ?? "", "base64").toString();
  return {
    ca: decoded(clusters[0].cluster["certificate-authority-data"]),
    cert: decoded(users[0].user["client-certificate-data"]),
    key: decoded(users[0].user["client-key-data"]),
  };
}
