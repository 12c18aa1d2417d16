import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { parse } from "yaml";
import { BenchError, onInterruption, pause, interrupted } from "./execute.mjs";

/** Where objects of a kind are, in the namespace `default`. */
const collections = {
  Deployment: "/apis/apps/v1/namespaces/default/deployments",
  Pod: "/api/v1/namespaces/default/pods",
  Service: "/api/v1/namespaces/default/services",
};

/** How long an object is tried again that admission refuses, as a new cluster's does before it has a ServiceAccount. */
const admissionMs = 30_000;

/**
 * The API server of a kubeconfig's current context, by client certificate. kubectl would need a part of a second for
 * each call, of the processor that is measured.
 */
export async function apiClient(kubeconfig) {
  const document = parse(await readFile(kubeconfig, "utf8"));
  const named = (list, name) => document[list].find((entry) => entry.name === name);
  const { context } = named("contexts", document["current-context"]);
  const { cluster } = named("clusters", context.cluster);
  const { user } = named("users", context.user);
  const decoded = (data) => Buffer.from(data, "base64");
  const agent = new Agent({
    keepAlive: true,
    ca: decoded(cluster["certificate-authority-data"]),
    cert: decoded(user["client-certificate-data"]),
    key: decoded(user["client-key-data"]),
  });

  /** @returns the response, not yet read */
  const send = (method, path, body, signal) =>
    new Promise((resolve, reject) => {
      const headers = { "Content-Type": "application/json" };
      const sent = request(new URL(path, cluster.server), { method, agent, headers, signal }, resolve);
      sent.on("error", reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });

  const json = async (method, path, body) => {
    const response = await send(method, path, body);
    const said = await text(response);
    return { status: response.statusCode, said, body: said.startsWith("{") ? JSON.parse(said) : undefined };
  };

  const createOne = async (object) => {
    for (const deadline = Date.now() + admissionMs; ; await pause(50)) {
      const { status, said, body } = await json("POST", collections[object.kind], object);
      if (status === 201) return;
      const isEarly = status === 403 || body?.reason === "ServerTimeout";
      if (!isEarly || Date.now() > deadline || interrupted.aborted) {
        throw new BenchError(`the API server refuses ${object.kind} ${object.metadata.name}: ${status}`, { lines: [said] });
      }
    }
  };

  return {
    /** What a GET of that path answers. */
    async get(path) {
      const { status, said, body } = await json("GET", path);
      if (status !== 200) throw new BenchError(`GET ${path}: ${status}`, { lines: [said] });
      return body;
    },

    /** Makes objects in the namespace `default`, in that order. */
    async create(...objects) {
      for (const object of objects) await createOne(object);
    },

    /**
     * Follows pods of the namespace `default` until enough of them run.
     *
     * @returns those, by name
     */
    async podsRunning(labelSelector, count, timeoutMs) {
      const stop = new AbortController();
      const forget = onInterruption(() => stop.abort());
      const timer = setTimeout(() => stop.abort(), timeoutMs);
      const running = new Map();
      try {
        const query = new URLSearchParams({ watch: "1", labelSelector });
        const response = await send("GET", `${collections.Pod}?${query}`, undefined, stop.signal);
        for await (const { object: pod } of jsonLines(response)) {
          if (pod.status?.phase === "Running" && pod.status.podIP) running.set(pod.metadata.name, pod);
          if (running.size >= count) return running;
        }
        throw new BenchError(`the API server has ended a watch when ${running.size} of ${count} pods ran`);
      } catch (error) {
        if (!stop.signal.aborted) throw error;
        if (interrupted.aborted) throw new BenchError("interrupted");
        throw new BenchError(`only ${running.size} of ${count} pods run after ${timeoutMs / 1000} s`);
      } finally {
        stop.abort();
        clearTimeout(timer);
        forget();
      }
    },

    /** Ends its connections. */
    close: () => agent.destroy(),
  };
}

async function* jsonLines(stream) {
  let rest = "";
  for await (const chunk of stream.setEncoding("utf8")) {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}
