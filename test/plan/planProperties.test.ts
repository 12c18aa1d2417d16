import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { AddressRanges } from "../../src/model/addressRanges.js";
import type { HostFacts, ObservedHost } from "../../src/model/hostFacts.js";
import type { HostFile } from "../../src/model/hostFile.js";
import { paths } from "../../src/model/hostLayout.js";
import type { ExtraArgs, Patch, Taint } from "../../src/model/options.js";
import type { Plan } from "../../src/model/plan.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { planProblems } from "../kubernetes/flagLists.js";
import {
  everyMinor,
  masterInput,
  masterInputOf,
  masterOptions,
  observed,
  secretText,
  workerInput,
  workerInputOf,
} from "./fixtures.js";

/** Paths that an image brings. */
const inImage = ["/hyperkube", "/usr/lib/cni", "/opt/cni/bin", "/usr/local/bin", "/usr/bin"];
/** Docker makes them in every container, or they are no files. */
const everywhere = ["/etc/resolv.conf", "/proc", "/healthz"];
/** Made by the programs themselves, in folders that are mounted or that they need not keep. */
const madeByPrograms = ["/srv/kubernetes/.complete", "/etc/kubernetes/addons/.complete"];

/** All absolute paths that a text names; no URLs' paths, no CIDRs' lengths. */
function pathsIn(text: string): string[] {
  return [...text.matchAll(/(?<![\w:/.*}-])\/[a-z][\w./-]*/g)].map(([path]) => path);
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

interface Mounted {
  readonly name: string;
  readonly words: readonly string[];
  readonly mounts: readonly string[];
}

interface PodManifest {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly containers: readonly {
      readonly name: string;
      readonly command: readonly string[];
      readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
    }[];
    readonly volumes: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
  };
}

function manifestsOf(plan: Plan): PodManifest[] {
  return filesOf(plan)
    .filter(({ path }) => path.startsWith(`${paths.manifests}/`))
    .map(({ content }) => JSON.parse(content) as PodManifest);
}

function contentOf(plan: Plan, path: string): string {
  return filesOf(plan).find((file) => file.path === path)?.content ?? "";
}

/** Every container that a plan makes, ours and the pods', with what it is told and what it sees. */
function containersWithMounts(plan: Plan): Mounted[] {
  const configurations: Readonly<Record<string, string>> = {
    kubelet: contentOf(plan, paths.kubeletConfig),
    proxy: contentOf(plan, paths.proxyConfig),
    "kube-proxy": contentOf(plan, paths.proxyConfig),
    scheduler: contentOf(plan, paths.schedulerConfig),
  };
  const valuesOf = (name: string): string[] => leaves(parse(configurations[name] ?? "null"));
  return [
    ...containersOf(plan).map(({ component, command, binds }) => ({
      name: component,
      words: [...command, ...valuesOf(component)],
      mounts: binds.map(({ target }) => target),
    })),
    ...manifestsOf(plan).flatMap(({ spec }) =>
      spec.containers.map(({ name, command, volumeMounts }) => ({
        name,
        words: [...command, ...valuesOf(name)],
        mounts: volumeMounts.map(({ mountPath }) => mountPath),
      })),
    ),
  ];
}

function leaves(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value === "object" && value !== null) return Object.values(value).flatMap(leaves);
  return [];
}

function missingMounts(plan: Plan): string[] {
  return containersWithMounts(plan).flatMap(({ name, words, mounts }) => {
    const named = words
      .flatMap((word) => word.replace(/^--[\w-]+=/, "").replace(/^unix:\/\//, "").split(","))
      .flatMap(pathsIn);
    const known = [...mounts, ...inImage, ...everywhere, ...madeByPrograms];
    return named
      .filter((path) => !known.some((folder) => isBelow(path, folder)))
      .map((path) => `${name} names ${path}, which is not mounted`);
  });
}

/** What is called of the image must not be below a folder of the host. */
function hiddenPrograms(plan: Plan, { imagePrograms, imageCniDir }: HostFacts): string[] {
  const ofImage = [...Object.values(imagePrograms), ...(imageCniDir === undefined ? [] : [imageCniDir])];
  return containersWithMounts(plan).flatMap(({ name, words, mounts }) =>
    words
      .flatMap((word) => word.replace(/^--[\w-]+=/, "").split(","))
      .filter((path) => ofImage.includes(path) && mounts.some((folder) => isBelow(path, folder)))
      .map((path) => `${name} calls the image's ${path}, and sees the host's`),
  );
}

/** Files of the host that a container is told to read have to be laid there. */
function missingFiles(plan: Plan): string[] {
  const laid = new Set(filesOf(plan).map(({ path }) => path));
  // Written by the kubelet when it has joined; and the pod network's file when the node has its pod CIDR.
  const made = plan.role === "worker" ? [paths.kubeletConf] : [];
  return containersWithMounts(plan).flatMap(({ name, words }) =>
    words
      .flatMap((word) => pathsIn(word.replace(/^--[\w-]+=/, "")))
      .filter((path) => isBelow(path, paths.kubernetes) && /\.\w+$/.test(path))
      .filter((path) => ![...laid, ...made, ...madeByPrograms].includes(path))
      .map((path) => `${name} reads ${path}, which nobody lays down`),
  );
}

function volumeProblems(plan: Plan): string[] {
  return manifestsOf(plan).flatMap(({ metadata, spec }) => {
    const volumes = spec.volumes.map(({ name }) => name);
    const mounted = spec.containers.flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name));
    return [
      ...mounted.filter((name) => !volumes.includes(name)).map((name) => `${metadata.name} has no volume ${name}`),
      ...volumes.filter((name) => !mounted.includes(name)).map((name) => `${metadata.name}: nobody mounts ${name}`),
    ];
  });
}

function stepProblems(plan: Plan): string[] {
  const ids = plan.steps.map(({ id }) => id);
  return [
    ...ids.filter((id, index) => ids.indexOf(id) !== index).map((id) => `two steps ${id}`),
    ...plan.steps.flatMap(({ id, needs }, index) =>
      needs.filter((need) => !ids.slice(0, index).includes(need)).map((need) => `${id} needs ${need}, which is not before`),
    ),
  ];
}

/** What `docker inspect` and anyone who may read pods can see, and files that are not for root alone. */
function leaks(plan: Plan): string[] {
  const open = filesOf(plan).filter(({ mode, secret }) => !secret || (mode & 0o077) !== 0);
  return [
    ...containersOf(plan).flatMap((spec) => (JSON.stringify(spec).includes(secretText) ? [spec.component] : [])),
    ...open.flatMap(({ path, content }) => (content.includes(secretText) ? [path] : [])),
  ];
}

function problems(plan: Plan, host: HostFacts): string[] {
  return [
    ...missingMounts(plan),
    ...hiddenPrograms(plan, host),
    ...missingFiles(plan),
    ...volumeProblems(plan),
    ...stepProblems(plan),
    ...leaks(plan),
    ...planProblems(plan),
  ];
}

function product<Case extends object>(choices: { readonly [Key in keyof Case]: readonly Case[Key][] }): Case[] {
  return Object.entries(choices).reduce<object[]>(
    (cases, [key, values]) => cases.flatMap((one) => (values as unknown[]).map((value) => ({ ...one, [key]: value }))),
    [{}],
  ) as Case[];
}

interface Case {
  readonly network: "bridge" | "none";
  readonly extraArgs: ExtraArgs;
  readonly nodeTaints: readonly Taint[];
  readonly patches: readonly Patch[];
  /** Labelled, and with everything; without labels; without hyperkube; without pause and etcd. */
  readonly image: "own" | "plain" | "programs" | "bare";
  readonly cgroup: "v1" | "v2";
  readonly oddHost: boolean;
  readonly podCidr: AddressRanges;
  readonly insecureApi: boolean;
  readonly proxyMode: "iptables" | "ipvs" | "nftables";
  readonly architecture: "amd64" | "arm64";
}

const cases = product<Case>({
  network: ["bridge", "none"],
  extraArgs: [{}, { kubelet: { v: "2" }, proxy: { "masquerade-all": "true" }, etcd: { "quota-backend-bytes": "1" } }],
  nodeTaints: [[], [{ key: "k", effect: "NoSchedule" }]],
  patches: [[], [{ target: "proxy", type: "merge", body: { iptables: { masqueradeAll: true } }, file: "p" }]],
  image: ["own", "plain", "programs", "bare"],
  cgroup: ["v1", "v2"],
  oddHost: [true, false],
  podCidr: [["10.244.0.0/16"], ["192.168.8.0/23"], ["10.244.0.0/16", "fd00:10:244::/56"]],
  insecureApi: [false, true],
  proxyMode: ["iptables", "ipvs", "nftables"],
  architecture: ["amd64", "arm64"],
});

/** What this version has: nobody gets so far with the rest. */
function isPossible(version: string, { cgroup, insecureApi, proxyMode, podCidr }: Case): boolean {
  const features = featuresOf(version);
  return (
    (cgroup === "v1" || features.supportsCgroupV2) &&
    (!insecureApi || features.insecureApi) &&
    features.proxyModes.includes(proxyMode) &&
    (podCidr.length === 1 || features.dualStack)
  );
}

/** A few for each version, others for its neighbours: all pairs of choices come up in some. */
function casesFor(version: string, count: number): Case[] {
  const possible = cases.filter((one) => isPossible(version, one));
  const first = everyMinor.indexOf(version) * 7;
  return Array.from({ length: count }, (_, index) => possible[(first + index * 331) % possible.length]).filter(
    (one) => one !== undefined,
  );
}

function observedIn({ image, cgroup, oddHost, architecture }: Case, of: ObservedHost): ObservedHost {
  const { hyperkube = "", pause, etcd, ...tools } = of.host.imagePrograms;
  const singles = ["kubelet", "kube-proxy", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl"];
  return {
    ...of,
    engine: {
      ...of.engine,
      version: { ...of.engine.version, architecture },
      info: {
        ...of.engine.info,
        cgroupDriver: cgroup === "v1" ? "cgroupfs" : "systemd",
        cgroupVersion: cgroup === "v1" ? "1" : "2",
        dockerRootDir: oddHost ? "/data/docker" : "/var/lib/docker",
      },
    },
    host: {
      ...of.host,
      imageCniDir: image === "own" ? "/usr/lib/cni" : "/opt/cni/bin",
      imagePrograms: {
        ...tools,
        ...(image === "programs"
          ? Object.fromEntries(singles.map((name) => [name, `/usr/local/bin/${name}`]))
          : { hyperkube }),
        ...(image !== "bare" && pause !== undefined && etcd !== undefined && { pause, etcd }),
      },
      cgroupVersion: cgroup === "v1" ? "1" : "2",
      iptablesBackend: oddHost ? "legacy" : "nft",
      resolvConf: oddHost ? "/run/systemd/resolve/resolv.conf" : "/etc/resolv.conf",
      conntrackMaxWritable: oddHost,
      etcdData: oddHost,
    },
    image: {
      ...of.image,
      architecture,
      labels: image === "own" ? of.image.labels : {},
      command: image === "bare" ? ["bash"] : of.image.command,
    },
  };
}

describe.each(everyMinor)("with %s, whatever options and host,", (version) => {
  test("a master's plan names nothing that is not mounted, leaks nothing, and says nothing unknown", () => {
    for (const one of casesFor(version, 12)) {
      const { network, podCidr, insecureApi, proxyMode, extraArgs, nodeTaints, patches } = one;
      const input = masterInputOf({
        version,
        config: { network, podCidr, insecureApi, proxyMode },
        observed: observedIn(one, observed),
      });
      const plan = planMaster({ ...input, options: { ...input.options, extraArgs, nodeTaints, patches } });
      expect(problems(plan, input.observed.host), JSON.stringify(one)).toEqual([]);
    }
  });

  test("nor does a worker's", () => {
    for (const one of casesFor(version, 12)) {
      const { network, podCidr, insecureApi, proxyMode, extraArgs, nodeTaints, patches } = one;
      const input = workerInputOf({
        version,
        config: { network, podCidr, insecureApi, proxyMode, extraArgs },
        observed: observedIn(one, workerInput.observed),
      });
      const plan = planWorker({ ...input, options: { ...input.options, nodeTaints, patches } });
      expect(problems(plan, input.observed.host), JSON.stringify(one)).toEqual([]);
    }
  });
});

describe("such a check finds", () => {
  const plan = planMaster(masterInput);
  const change = (path: string, from: string, to: string): Plan => ({
    ...plan,
    steps: plan.steps.map((step) => {
      if (step.action.kind !== "write-files") return step;
      const files = step.action.files.map(
        (file): HostFile => (file.path === path ? { ...file, content: file.content.replace(from, to) } : file),
      );
      return { ...step, action: { ...step.action, files } };
    }),
  });
  const manifest = `${paths.manifests}/master-multi.json`;

  test.each([
    ["a flag's path without a mount", change(manifest, "/srv/kubernetes/ca.crt", "/elsewhere/ca.crt"), "not mounted"],
    ["a file nobody lays down", change(manifest, "/etc/kubernetes/scheduler.conf", "/etc/kubernetes/scripts/no.sh"), "nobody lays"],
    ["a secret", change(manifest, "NodeRestriction", secretText), manifest],
    ["a configured path without a mount", change(paths.kubeletConfig, "/etc/resolv.conf", "/nowhere"), "/nowhere"],
  ])("%s", (_what, broken, problem) => {
    expect(problems(broken, observed.host).join("\n")).toContain(problem);
  });
});

test("a node goes by its options, else by its host", () => {
  const named = planMaster({ ...masterInput, options: { ...masterOptions, nodeName: "n1", ip: ["192.0.2.1"] } });
  expect(named.nodeName).toBe("n1");
  expect(JSON.stringify(containersOf(named))).toContain("--node-ip=192.0.2.1");
  const host = Object.fromEntries(Object.entries(observed.host).filter(([key]) => key !== "defaultAddress"));
  const homeless = { ...observed, host: host as unknown as ObservedHost["host"] };
  expect(() => planMaster({ ...masterInput, observed: homeless })).toThrow("NO_ADDRESS");
});
