/*
 * A process of its own, for it runs in a machine's network: `node writer.mjs KUBECONFIG PORT LANES`. In each lane it
 * makes one ConfigMap after the other by the API server that 127.0.0.1:PORT leads to, by one kept connection, until it
 * is ended. It prints a line for each that was acknowledged: the lane, and milliseconds since 1970.
 */
import { readFile } from "node:fs/promises";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import { parse } from "yaml";

/** As long as a kubelet waits for an answer about its lease. */
const timeoutMs = 10_000;
const pauseMs = 50;

const [kubeconfig, port, lanes] = process.argv.slice(2);
if (lanes === undefined) {
  process.stderr.write("usage: node writer.mjs KUBECONFIG PORT LANES\n");
  process.exit(2);
}
const { clusters, users } = parse(await readFile(kubeconfig, "utf8"));
const decoded = (data) => Buffer.from(data, "base64");
const identity = {
  ca: decoded(clusters[0].cluster["certificate-authority-data"]),
  cert: decoded(users[0].user["client-certificate-data"]),
  key: decoded(users[0].user["client-key-data"]),
};

for (let lane = 0; lane < Number(lanes); lane++) {
  void write(lane, new Agent({ ...identity, keepAlive: true, maxSockets: 1 }));
}

async function write(lane, agent) {
  for (let count = 0; ; count++) {
    const name = `gap-${port}-${lane}-${count}`;
    while (!(await isTaken(name, agent))) await delay(pauseMs);
    process.stdout.write(`${lane} ${Date.now()}\n`);
    await delay(pauseMs);
  }
}

/** Whether the API server has the object now: it was there already if only the answer was lost. */
async function isTaken(name, agent) {
  try {
    const response = await new Promise((resolve, reject) => {
      const sent = request(
        {
          ...{ host: "127.0.0.1", port, agent, method: "POST", path: "/api/v1/namespaces/default/configmaps" },
          ...{ headers: { "Content-Type": "application/json" }, signal: AbortSignal.timeout(timeoutMs) },
        },
        resolve,
      );
      sent.on("error", reject);
      sent.end(JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } }));
    });
    await text(response);
    return response.statusCode === 201 || response.statusCode === 409;
  } catch {
    return false;
  }
}
