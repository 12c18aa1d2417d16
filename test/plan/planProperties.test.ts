import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { ExtraArgs, Patch, Taint } from "../../src/config/options.js";
import type { ObservedHost } from "../../src/facts/hostFacts.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { paths } from "../../src/plan/names.js";
import type { HostFile, Plan } from "../../src/plan/plan.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { planProblems } from "../kubernetes/flagLists.js";
import { config, masterInput, masterOptions, observed, secretText, workerInput, workerOptions } from "./fixtures.js";

/** Paths that an image brings, or Docker makes in every container. */
const inImage = ["/hyperkube", "/usr/lib/cni", "/etc/resolv.conf", "/proc", "/healthz"];
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
  return containersWithMounts(plan).flatMap(({ name, words, mounts }) =>
    words
      .flatMap((word) => word.replace(/^--[\w-]+=/, "").replace(/^unix:\/\//, "").split(","))
      .flatMap(pathsIn)
      .filter((path) => ![...mounts, ...inImage, ...madeByPrograms].some((folder) => isBelow(path, folder)))
      .map((path) => `${name} names ${path}, which is not mounted`),
  );
}

/** Files of the host that a container is told to read have to be laid there. */
function missingFiles(plan: Plan): string[] {
  const laid = new Set(filesOf(plan).map(({ path }) => path));
  // Written by the kubelet when it has joined.
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

function problems(plan: Plan): string[] {
  return [
    ...missingMounts(plan),
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
  readonly ownImage: boolean;
  readonly cgroupDriver: "systemd" | "cgroupfs";
  readonly oddHost: boolean;
  readonly podCidr: string;
}

const cases = product<Case>({
  network: ["bridge", "none"],
  extraArgs: [{}, { kubelet: { v: "2" }, proxy: { "proxy-mode": "ipvs" }, etcd: { "quota-backend-bytes": "1" } }],
  nodeTaints: [[], [{ key: "k", effect: "NoExecute" }]],
  patches: [[], [{ target: "proxy", type: "merge", body: { iptables: { masqueradeAll: true } }, file: "p" }]],
  ownImage: [true, false],
  cgroupDriver: ["systemd", "cgroupfs"],
  oddHost: [true, false],
  podCidr: ["10.244.0.0/16", "192.168.8.0/23"],
});

function observedIn({ ownImage, cgroupDriver, oddHost }: Case): ObservedHost {
  const { imageCniDir, ...host } = observed.host;
  return {
    ...observed,
    engine: {
      ...observed.engine,
      info: {
        ...observed.engine.info,
        cgroupDriver,
        dockerRootDir: oddHost ? "/data/docker" : "/var/lib/docker",
      },
    },
    host: {
      ...host,
      ...(ownImage && imageCniDir !== undefined && { imageCniDir }),
      iptablesBackend: oddHost ? "legacy" : "nft",
      resolvConf: oddHost ? "/run/systemd/resolve/resolv.conf" : "/etc/resolv.conf",
      conntrackMaxWritable: oddHost,
      etcdData: oddHost,
    },
    image: { ...observed.image, labels: ownImage ? observed.image.labels : {} },
  };
}

describe(`in ${cases.length} combinations of options and hosts`, () => {
  test("a master's plan names nothing that is not mounted, leaks nothing, and says nothing unknown", () => {
    for (const one of cases) {
      const { network, podCidr, extraArgs, nodeTaints, patches } = one;
      const plan = planMaster({
        ...masterInput,
        config: { ...config, network, podCidr },
        options: { ...masterOptions, network, podCidr, extraArgs, nodeTaints, patches },
        observed: observedIn(one),
      });
      expect(problems(plan), JSON.stringify(one)).toEqual([]);
    }
  });

  test("nor does a worker's", () => {
    for (const one of cases) {
      const { network, podCidr, extraArgs, nodeTaints, patches } = one;
      const plan = planWorker({
        ...workerInput,
        config: { ...config, network, podCidr, extraArgs },
        options: { ...workerOptions, nodeTaints, patches },
        observed: observedIn(one),
      });
      expect(problems(plan), JSON.stringify(one)).toEqual([]);
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
    expect(problems(broken).join("\n")).toContain(problem);
  });
});

test("a node goes by its options, else by its host", () => {
  const named = planMaster({ ...masterInput, options: { ...masterOptions, nodeName: "n1", ip: "192.0.2.1" } });
  expect(named.nodeName).toBe("n1");
  expect(JSON.stringify(containersOf(named))).toContain("--node-ip=192.0.2.1");
  const host = Object.fromEntries(Object.entries(observed.host).filter(([key]) => key !== "defaultAddress"));
  const homeless = { ...observed, host: host as unknown as ObservedHost["host"] };
  expect(() => planMaster({ ...masterInput, observed: homeless })).toThrow("NO_ADDRESS");
});
