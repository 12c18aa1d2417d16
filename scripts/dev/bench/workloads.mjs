import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { BenchError, endGroup, interrupted, onInterruption } from "./execute.mjs";
import { workloadImage } from "./testbed.mjs";

/** A pod of one container, which has the pod's name. */
export function pod(name, { image = workloadImage, command, labels = {}, ...spec }) {
  return { apiVersion: "v1", kind: "Pod", metadata: { name, labels }, spec: podSpec(name, { image, command, ...spec }) };
}

/** So many pods of a web server, labelled `app: NAME` and `part: all`. */
export function webServers(name, replicas) {
  const labels = { app: name, part: "all" };
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name },
    spec: {
      replicas,
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: podSpec(name, { image: workloadImage }) },
    },
  };
}

/** Port 80 before the web servers labelled `app: NAME`. */
export function webService(name, spec = {}) {
  const ports = [{ port: 80, targetPort: 8080 }];
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec: { selector: { app: name }, ports, ...spec } };
}

/** A pod that ends well when it has reached a Service by its name. Its image has a shell, curl and a resolver. */
export function caller(name, service, { image, ...spec }) {
  // The resolver asks again after five seconds: curl has to be younger.
  const command = ["bash", "-c", `until curl -sfo /dev/null -m 2 http://${service}/; do sleep 0.05; done`];
  return pod(name, { image, command, restartPolicy: "Never", ...spec });
}

/** On this node alone, by way of the scheduler: a pod that names its node is deleted while there is no such node. */
export function onNode(node) {
  return { nodeSelector: { "kubernetes.io/hostname": node } };
}

/** On any other node. */
export function notOnNode(node) {
  const expression = { key: "kubernetes.io/hostname", operator: "NotIn", values: [node] };
  const nodeSelectorTerms = [{ matchExpressions: [expression] }];
  return {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  };
}

/**
 * Listens to a machine's Docker, from now on, for the end of a pod's container. Docker says it at once, the kubelet up
 * to a second later.
 *
 * @returns `ended`, which waits for that, and `stop`, which has to be called in the end
 */
export function podEnd({ env }, machine, name, timeoutMs = 180_000) {
  const filters = [`label=io.kubernetes.container.name=${name}`, "event=die"].flatMap((one) => ["--filter", one]);
  const since = ["--since", String(Math.floor(Date.now() / 1000))];
  const argv = ["events", ...since, ...filters, "--format", "{{.Actor.Attributes.exitCode}}"];
  const child = spawn("docker", argv, { env: env(machine), detached: true, stdio: ["ignore", "pipe", "ignore"] });
  const forget = onInterruption(() => endGroup(child));
  const timer = setTimeout(() => endGroup(child), timeoutMs);
  const firstLine = new Promise((resolve) => {
    child.on("error", () => resolve(undefined));
    const lines = createInterface({ input: child.stdout });
    lines.once("line", resolve);
    lines.once("close", () => resolve(undefined));
  });
  return {
    async ended() {
      const exitCode = await firstLine;
      if (interrupted.aborted) throw new BenchError("interrupted");
      if (exitCode === undefined) {
        throw new BenchError(`the pod ${name} on machine ${machine} has not ended within ${timeoutMs / 1000} s`);
      }
      if (exitCode !== "0") throw new BenchError(`the pod ${name} on machine ${machine} ended with ${exitCode}`);
    },
    stop() {
      clearTimeout(timer);
      forget();
      endGroup(child);
    },
  };
}

function podSpec(name, { image, command, ...spec }) {
  return {
    terminationGracePeriodSeconds: 0,
    containers: [{ name, image, imagePullPolicy: "IfNotPresent", ...(command && { command }) }],
    ...spec,
  };
}
