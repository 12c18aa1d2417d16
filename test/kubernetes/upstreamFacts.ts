import { readFileSync } from "node:fs";
import { containerBody } from "../../src/docker/containerBody.js";
import { addressAt } from "../../src/kubernetes/networks.js";
import type { ContainerSpec } from "../../src/model/containerSpec.js";
import { labels } from "../../src/model/hostLayout.js";

/** What is said, one thing each: `k8s-master/apiserver: --v` -> `2`. */
export type Facts = ReadonlyMap<string, string>;

interface UpstreamContainer {
  readonly name: string;
  readonly image?: string;
  readonly program?: string;
  readonly flags: Readonly<Record<string, string>>;
  readonly privileged?: boolean;
}

interface Upstream {
  readonly pods: readonly {
    readonly name: string;
    readonly namespace: string;
    readonly hostNetwork: boolean;
    readonly volumes: Readonly<Record<string, string>>;
    readonly containers: readonly (UpstreamContainer & {
      readonly mounts: Readonly<Record<string, string>>;
      readonly requests?: Readonly<Record<string, string>>;
      readonly subjectAltNames?: readonly string[];
    })[];
  }[];
  readonly containers: readonly (UpstreamContainer & {
    readonly hostNetwork: boolean;
    readonly hostPid: boolean;
    readonly restart: string;
    readonly binds: Readonly<Record<string, string>>;
  })[];
}

/** A pod as far as it can differ from upstream's; anything else fails the reading of it. */
export interface RenderedPod {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: Readonly<Record<string, unknown>> & {
    readonly containers: readonly RenderedContainer[];
    readonly volumes?: readonly RenderedVolume[];
  };
}

interface RenderedContainer {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly securityContext?: { readonly privileged?: boolean; readonly allowPrivilegeEscalation?: boolean };
  readonly resources?: { readonly requests?: Readonly<Record<string, string>> };
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly imagePullPolicy?: string;
  readonly startupProbe?: unknown;
  readonly livenessProbe?: {
    readonly httpGet: { readonly scheme?: string; readonly host: string; readonly port: number; readonly path: string };
  };
}

interface RenderedVolume {
  readonly name: string;
  readonly emptyDir?: { readonly medium?: string };
  readonly hostPath?: { readonly path: string };
}

/** Two ways to say the same: a name of this host, an address anywhere in a network. */
function sameMeaning(value: string): string {
  return value
    .replaceAll("//localhost:", "//127.0.0.1:")
    .replace(/^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/, (cidr, _, prefix: string) => `${addressAt(cidr, 0)}/${prefix}`);
}

/** What v1.3's programs do anyway, as their help says: to say it means nothing. */
const defaults: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "/hyperkube apiserver": { "--authorization-mode": "AlwaysAllow", "--secure-port": "6443" },
  "/hyperkube controller-manager": {
    "--cluster-name": "kubernetes",
    "--leader-elect": "false",
    "--node-cidr-mask-size": "24",
  },
  "/hyperkube scheduler": { "--leader-elect": "false" },
  "/hyperkube kubelet": {
    "--container-runtime": "docker",
    "--docker-endpoint": "",
    "--healthz-bind-address": "127.0.0.1",
    "--healthz-port": "10248",
    "--resolv-conf": "/etc/resolv.conf",
    "--root-dir": "/var/lib/kubelet",
  },
  "/hyperkube proxy": { "--bind-address": "0.0.0.0", "--healthz-bind-address": "127.0.0.1" },
};

class FactList {
  readonly facts = new Map<string, string>();

  say(where: string, what: string, value: string | undefined): void {
    if (value === undefined) return;
    const key = `${where}: ${what}`;
    if (this.facts.has(key)) throw new Error(`${key} is said twice`);
    this.facts.set(key, sameMeaning(value));
  }

  sayAll(where: string, prefix: string, values: Readonly<Record<string, string>> = {}): void {
    for (const [name, value] of Object.entries(values)) this.say(where, `${prefix}${name}`, value);
  }

  /** A command line with what start.sh does before it. */
  sayCommand(where: string, command: readonly string[]): void {
    const end = command.indexOf("--");
    const isStarted = command[0]?.endsWith("/start.sh") === true;
    const program = isStarted ? command.slice(end + 1) : command;
    const waits: string[] = [];
    for (let index = 1; isStarted && index < end; index += 2) {
      const [option = "", value = ""] = command.slice(index, index + 2);
      if (["--file", "--tcp", "--api", "--socket"].includes(option)) waits.push(value);
      else this.say(where, `start.sh ${option}`, value);
    }
    this.say(where, "waits for", waits.length > 0 ? waits.join(", ") : undefined);
    const words = program.filter((word) => !word.startsWith("--"));
    const sans = words.find((word) => /(DNS|IP):/.test(word));
    const programName = words.filter((word) => word !== sans).join(" ");
    this.say(where, "program", programName);
    for (const san of sans?.split(",") ?? []) this.say(where, `certificate for ${san}`, "yes");
    for (const flag of program.filter((word) => word.startsWith("--"))) {
      const [name = "", value = "true"] = flag.split(/=(.*)/s);
      if (defaults[programName]?.[name] !== value) this.say(where, name, value);
    }
  }
}

/** What docker-multinode says, from the fixture. */
export function upstreamFacts(): Facts {
  const url = new URL("../fixtures/kube-deploy-v1.3.6.json", import.meta.url);
  const upstream = JSON.parse(readFileSync(url, "utf8")) as Upstream;
  const list = new FactList();
  const common = (where: string, { image, program, flags, privileged = false }: UpstreamContainer): void => {
    list.say(where, "image", image);
    list.say(where, "program", program);
    list.sayAll(where, "--", flags);
    list.say(where, "privileged", privileged ? "yes" : "no");
  };
  for (const { name, namespace, hostNetwork, volumes, containers } of upstream.pods) {
    list.say(name, "namespace", namespace);
    list.say(name, "host network", hostNetwork ? "yes" : "no");
    for (const container of containers) {
      const where = `${name}/${container.name}`;
      common(where, container);
      for (const san of container.subjectAltNames ?? []) list.say(where, `certificate for ${san}`, "yes");
      list.sayAll(where, "requests ", container.requests);
      for (const [path, volume] of Object.entries(container.mounts)) {
        const [volumeName = "", ...modes] = volume.split(", ");
        if (volumes[volumeName] !== "emptyDir") throw new Error(`unknown volume ${volumeName}`);
        list.say(where, `mount ${path}`, [`empty folder ${volumeName}`, ...modes].join(", "));
      }
    }
  }
  for (const container of upstream.containers) {
    common(container.name, container);
    list.say(container.name, "host network", container.hostNetwork ? "yes" : "no");
    list.say(container.name, "host PIDs", container.hostPid ? "yes" : "no");
    list.say(container.name, "restart", container.restart);
    list.sayAll(container.name, "bind ", container.binds);
  }
  return list.facts;
}

/** What the plans of a master and a worker say. `containers`: name as upstream's in the fixture -> spec. */
export function renderedFacts(
  pods: readonly RenderedPod[],
  containers: Readonly<Record<string, ContainerSpec>>,
): Facts {
  const list = new FactList();
  for (const { metadata, spec } of pods) {
    const { name, namespace } = metadata;
    list.say(name, "namespace", namespace);
    // A digest is another one with each release, and says nothing to Kubernetes.
    for (const [key, value] of Object.entries({ ...metadata.labels, ...metadata.annotations })) {
      list.say(name, `mark ${key}`, key.startsWith("io.tsdeploy.") ? "digest" : value);
    }
    const { containers: podContainers, volumes = [], hostNetwork, ...more } = spec;
    list.say(name, "host network", hostNetwork === true ? "yes" : "no");
    for (const [key, value] of Object.entries(more)) list.say(name, key, JSON.stringify(value));
    for (const container of podContainers) sayContainer(list, `${name}/${container.name}`, container, volumes);
  }
  for (const [name, spec] of Object.entries(containers)) {
    const { Image, Entrypoint, Cmd, Env, HostConfig, Labels } = containerBody(spec);
    list.say(name, "image", Image);
    list.sayCommand(name, [...Entrypoint, ...Cmd]);
    for (const variable of Env) list.say(name, `env ${variable.split("=")[0] ?? ""}`, variable);
    list.say(name, "privileged", HostConfig.Privileged ? "yes" : "no");
    list.say(name, "host network", HostConfig.NetworkMode === "host" ? "yes" : "no");
    list.say(name, "host PIDs", HostConfig.PidMode === "host" ? "yes" : "no");
    list.say(name, "host cgroup namespace", HostConfig.CgroupnsMode === "host" ? "yes" : undefined);
    list.say(name, "restart", HostConfig.RestartPolicy.Name);
    for (const bind of HostConfig.Binds) {
      const [source = "", target = "", modes] = bind.split(":");
      list.say(name, `bind ${target}`, modes === undefined ? source : `${source}, ${modes.replace(",", ", ")}`);
    }
    const known = Object.values<string>(labels);
    if (!Object.keys(Labels).every((key) => known.includes(key))) throw new Error(`${name} has other labels than ours`);
  }
  return list.facts;
}

function sayContainer(
  list: FactList,
  where: string,
  container: RenderedContainer,
  volumes: readonly RenderedVolume[],
): void {
  const { name, image, command, securityContext, resources, volumeMounts = [], ...more } = container;
  const { imagePullPolicy, livenessProbe, ...unknown } = more;
  if (Object.keys(unknown).length > 0) throw new Error(`${name} has ${Object.keys(unknown).join(", ")}`);
  list.say(where, "image", image);
  list.sayCommand(where, command);
  list.say(where, "privileged", securityContext?.privileged ? "yes" : "no");
  list.say(where, "may gain privileges", securityContext?.allowPrivilegeEscalation === false ? "no" : undefined);
  list.sayAll(where, "requests ", resources?.requests);
  list.say(where, "pulled", imagePullPolicy);
  if (livenessProbe) {
    const { scheme = "HTTP", host, port, path } = livenessProbe.httpGet;
    list.say(where, "probe", `${scheme.toLowerCase()}://${host}:${port}${path}`);
  }
  for (const { name: volumeName, mountPath, readOnly } of volumeMounts) {
    const volume = volumes.find((one) => one.name === volumeName);
    const source = volume?.hostPath
      ? `host's ${volume.hostPath.path}`
      : `empty folder ${volumeName}${volume?.emptyDir?.medium === "Memory" ? " in memory" : ""}`;
    list.say(where, `mount ${mountPath}`, readOnly ? `${source}, read-only` : source);
  }
}
