import { eventually } from "./eventually.js";
import { type Machine, machines } from "./machine.js";
import { hasFlannel, image, kubectl, kubectlJson } from "./operator.js";
import { patience } from "./patience.js";
import { runOk } from "./run.js";

export const replicas = 4;
export const secretContent = "the-content-of-the-secret";

export interface Pod {
  readonly metadata: { readonly name: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly nodeName: string };
  readonly status: {
    readonly podIP: string;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
    readonly containerStatuses?: readonly { readonly containerID: string; readonly restartCount: number }[];
  };
}

export interface Node {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly podCIDR: string };
  readonly status: {
    readonly capacity: Readonly<Record<string, string>>;
    readonly addresses: readonly { readonly type: string; readonly address: string }[];
    readonly conditions: readonly { readonly type: string; readonly status: string }[];
  };
}

interface Lease {
  readonly metadata: { readonly name: string };
  readonly spec: { readonly renewTime: string };
}

const pod = {
  metadata: { labels: { app: "web" } },
  spec: {
    terminationGracePeriodSeconds: 5,
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "kubernetes.io/hostname",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: { app: "web" } },
      },
    ],
    containers: [
      {
        name: "web",
        image: "tsdeploy/workload:test",
        imagePullPolicy: "IfNotPresent",
        readinessProbe: { httpGet: { path: "/", port: 8080 }, periodSeconds: Math.min(patience, 5), timeoutSeconds: patience },
        volumeMounts: [
          { name: "scratch", mountPath: "/scratch" },
          { name: "secret", mountPath: "/secret" },
        ],
      },
    ],
    volumes: [
      { name: "scratch", emptyDir: {} },
      { name: "secret", secret: { secretName: "web" } },
    ],
  },
};

/** A web server that answers with its pod's name, on every node, and two Services before it. */
export const workload = [
  { apiVersion: "v1", kind: "Secret", metadata: { name: "web" }, stringData: { content: secretContent } },
  {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web" },
    spec: { replicas, selector: { matchLabels: { app: "web" } }, template: pod },
  },
  service("web", { type: "ClusterIP" }),
  service("web-everywhere", { type: "NodePort" }),
];

/** A Service before the web server's pods. */
export function service(name: string, spec: object, nodePort?: number): object {
  const port = { port: 80, targetPort: 8080, ...(nodePort === undefined ? {} : { nodePort }) };
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name },
    spec: { selector: { app: "web" }, ports: [port], ...spec },
  };
}

/** A pod of the Kubernetes image, which has a shell, curl and openssl. */
export function toolbox(name: string, { name: nodeName }: Machine, spec: { readonly hostNetwork: boolean }): object {
  const container = { name, image, imagePullPolicy: "IfNotPresent" };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      nodeName,
      terminationGracePeriodSeconds: 0,
      containers: [{ ...container, command: ["sleep", "infinity"] }],
      ...spec,
    },
  };
}

export async function webPods(): Promise<Pod[]> {
  const { items } = await kubectlJson<{ items: Pod[] }>("get", "pods", "-l", "app=web");
  return items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
}

/** The web server's pods, once all of them are ready. */
export async function readyWebPods(): Promise<Pod[]> {
  return eventually("all web pods ready", async () => {
    const pods = await webPods();
    const ready = pods.filter(({ status }) =>
      status.conditions?.some((condition) => condition.type === "Ready" && condition.status === "True"),
    );
    if (ready.length !== replicas || pods.length !== replicas) throw new Error(`${ready.length} of ${pods.length} are`);
    return pods;
  });
}

export async function webPodOn(machine: Machine): Promise<string> {
  const found = (await readyWebPods()).find(({ spec }) => spec.nodeName === machine.name);
  if (!found) throw new Error(`no web pod on ${machine.name}`);
  return found.metadata.name;
}

export async function clusterIp(name = "web"): Promise<string> {
  return kubectl(["get", "service", name, "-o", "jsonpath={.spec.clusterIP}"]);
}

export async function nodePort(name = "web-everywhere"): Promise<string> {
  return kubectl(["get", "service", name, "-o", "jsonpath={.spec.ports[0].nodePort}"]);
}

export async function nodes(): Promise<Node[]> {
  return (await kubectlJson<{ items: Node[] }>("get", "nodes")).items;
}

export async function capacityOf({ name }: Machine): Promise<Readonly<Record<string, string>> | undefined> {
  return (await nodes()).find(({ metadata }) => metadata.name === name)?.status.capacity;
}

/** Has the machines, and this one, reach each other's pods. */
export async function routePods(): Promise<void> {
  if (hasFlannel()) return;
  const routes = (await nodes()).map(({ metadata, spec }) => `${spec.podCIDR}=${metadata.name.replace("machine-", "")}`);
  await runOk("scripts/dev/machines", ["routes", ...routes]);
}

export async function unroutePods(): Promise<void> {
  if (hasFlannel()) return;
  await runOk("scripts/dev/machines", ["unroutes", ...machines.map(({ number }) => String(number))]);
}

/** Waits until these nodes are Ready and their kubelets have given a sign of life after the given moment. */
export async function nodesReady(some: readonly Machine[], sinceMs = 0): Promise<void> {
  await eventually("nodes Ready", async () => {
    const all = await nodes();
    const leases = await kubectlJson<{ items: Lease[] }>("get", "leases", "-n", "kube-node-lease");
    for (const { name } of some) {
      const node = all.find(({ metadata }) => metadata.name === name);
      const ready = node?.status.conditions.find(({ type }) => type === "Ready");
      if (ready?.status !== "True") throw new Error(`${name} is not: ${JSON.stringify(ready)}`);
      const lease = leases.items.find(({ metadata }) => metadata.name === name);
      if (Date.parse(lease?.spec.renewTime ?? "") <= sinceMs) throw new Error(`${name} has not renewed its lease`);
    }
  });
}

const requests = 60;

/** The sorted names that answer a machine. */
export async function namesFromHost(machine: Machine, url: string): Promise<string[]> {
  // The server closes each connection.
  return distinct(await machine.sh(`curl -sSf --fail-early -m 5 'http://${url}/?[1-${requests}]'`));
}

/** The sorted names that answer a pod. */
export async function namesFromPod(pod: string, url: string): Promise<string[]> {
  // busybox's wget looks for a resolver's files that the image has not.
  const get = String.raw`printf 'GET / HTTP/1.0\r\n\r\n' | nc -w 5 ${url.replace(":", " ")} | tail -n 1`;
  const script = `for i in $(seq ${requests}); do ${get}; done`;
  return distinct(await kubectl(["exec", pod, "--", "sh", "-c", script]));
}

/** Waits until all web pods answer on the Service's address, from a pod on and from the host of each machine. */
export async function serviceReachesAll(some: readonly Machine[]): Promise<void> {
  await eventually("the Service reaches all pods", async () => {
    const all = names(await readyWebPods());
    const address = await clusterIp();
    for (const machine of some) {
      expectSame(`from ${machine.name}`, await namesFromHost(machine, address), all);
      expectSame(`from a pod on ${machine.name}`, await namesFromPod(await webPodOn(machine), `${address}:80`), all);
    }
  });
}

/** Waits until a cluster of these machines, some of which have just started, does all that it did. */
export async function everythingIsBack(some: readonly Machine[]): Promise<void> {
  await eventually("the API answers", () => kubectl(["get", "--raw", "/healthz"]), 120_000);
  await nodesReady(some, Date.now());
  await serviceReachesAll(some);
}

export function names(pods: readonly Pod[]): string[] {
  return pods.map(({ metadata }) => metadata.name).sort();
}

function expectSame(what: string, seen: readonly string[], wanted: readonly string[]): void {
  if (seen.join() !== wanted.join()) throw new Error(`${what}: ${seen.join(" ")} instead of ${wanted.join(" ")}`);
}

function distinct(lines: string): string[] {
  return [...new Set(lines.split("\n").filter(Boolean))].sort();
}
