import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { MasterOptions, Patch } from "../../src/config/options.js";
import { isEdited, manifestText, type Pod } from "../../src/kubernetes/renderManifests.js";
import { filesOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { masterInput, masterOptions } from "../plan/fixtures.js";

function pods(options: Partial<MasterOptions> = {}): Record<string, Pod> {
  const plan = planMaster({ ...masterInput, options: { ...masterOptions, ...options } });
  const manifests = filesOf(plan)
    .filter(({ path }) => path.includes("/manifests-multi/"))
    .map(({ content }) => JSON.parse(content) as Pod);
  return Object.fromEntries(manifests.map((pod) => [pod.metadata.name, pod]));
}

function commandOf(name: string, options: Partial<MasterOptions> = {}): string[] {
  const containers = Object.values(pods(options)).flatMap(({ spec }) => spec.containers);
  return containers.find((container) => container.name === name)?.command ?? [];
}

test("the three pods of docker-multinode are rendered, with all their containers and nothing left to fill in", () => {
  const rendered = pods();
  expect(Object.fromEntries(Object.entries(rendered).map(([n, { spec }]) => [n, spec.containers.map((c) => c.name)])))
    .toEqual({
      "k8s-master": ["setup", "apiserver", "controller-manager", "scheduler"],
      "k8s-proxy": ["kube-proxy"],
      "kube-addon-manager": ["kube-addon-manager", "kube-addon-manager-data"],
      "k8s-node-ipam": ["node-ipam"],
    });
  expect(JSON.stringify(rendered)).not.toContain("{{");
});

test("the bundled manifests are JSON as formatted by hand, two spaces deep", () => {
  for (const name of ["master-multi", "kube-proxy", "addon-manager"]) {
    const text = readFileSync(new URL(`../../manifests-multi/${name}.json`, import.meta.url), "utf8");
    expect(() => JSON.parse(text) as unknown).not.toThrow();
    expect(text.split("\n").filter((line) => line.length > 120 || /\s$/.test(line))).toEqual([]);
  }
});

test("pod CIDRs are given by a process of their own, unless a person says something about controllers", () => {
  expect(commandOf("controller-manager")).toContain("--controllers=*,bootstrapsigner,tokencleaner,-nodeipam");
  expect(commandOf("node-ipam")).toContain("--controllers=nodeipam");
  const extraArgs = { "controller-manager": { controllers: "*" } };
  expect(pods({ extraArgs })).not.toHaveProperty("k8s-node-ipam");
  expect(commandOf("controller-manager", { extraArgs })).toContain("--controllers=*");
});

test("the node CIDR mask is the same for both controller-managers, and ports are the first one's", () => {
  const extraArgs = { "controller-manager": { "node-cidr-mask-size": "25", "secure-port": "10999", v: "3" } };
  expect(commandOf("node-ipam", { extraArgs })).toContain("--node-cidr-mask-size=25");
  expect(commandOf("node-ipam", { extraArgs })).toContain("--secure-port=0");
  expect(commandOf("node-ipam", { extraArgs })).not.toContain("--v=3");
});

describe("extra arguments", () => {
  test("win over ours, in place, and are added at the end", () => {
    const before = commandOf("apiserver");
    const after = commandOf("apiserver", { extraArgs: { apiserver: { "allow-privileged": "false", v: "4" } } });
    expect(after).toEqual([
      ...before.map((word) => (word.startsWith("--allow-privileged=") ? "--allow-privileged=false" : word)),
      "--v=4",
    ]);
  });

  test("of kube-proxy become fields of its file, but for those of logging", () => {
    const extraArgs = { proxy: { v: "3", "proxy-mode": "ipvs" } };
    expect(commandOf("kube-proxy", { extraArgs }).slice(-2)).toEqual([
      "--config=/etc/kubernetes/kube-proxy-config.yaml",
      "--v=3",
    ]);
  });

  test("of the addon manager reach it", () => {
    expect(commandOf("kube-addon-manager", { extraArgs: { "addon-manager": { interval: "10" } } })).toContain(
      "--interval=10",
    );
  });
});

describe("patches", () => {
  const patch: Patch = {
    target: "kube-apiserver",
    type: "strategic",
    body: { spec: { containers: [{ name: "apiserver", env: [{ name: "X", value: "1" }] }] } },
    file: "kube-apiserver.yaml",
  };

  test("reach the pod by our name and by kubeadm's, and no other pod", () => {
    for (const target of ["apiserver", "kube-apiserver"]) {
      const patched = pods({ patches: [{ ...patch, target }] });
      const master = patched["k8s-master"];
      expect(master?.spec.containers[1]).toMatchObject({ name: "apiserver", env: [{ name: "X", value: "1" }] });
      expect({ ...patched, "k8s-master": undefined }).toEqual({ ...pods(), "k8s-master": undefined });
    }
  });

  test("for what is not there are refused, all at once", () => {
    const patches = ["nothing", "etcd", "constructor"].map((target) => ({ ...patch, target, file: `${target}.yaml` }));
    expect(() => pods({ patches })).toThrow(/PATCH_TARGET: nothing\.yaml.*\n.*etcd\.yaml.*\n.*constructor\.yaml/);
  });

  test.each([
    ["metadata.name", { metadata: { name: "other" } }],
    ["containers", { spec: { containers: null } }],
  ])("that break %s are refused", (_what, body) => {
    expect(() => pods({ patches: [{ ...patch, body }] })).toThrow("PATCH_INVALID: kube-apiserver.yaml");
  });
});

describe("an edit by a person", () => {
  const pod = pods()["k8s-master"];
  if (!pod) throw new Error("no master pod");

  test("is told from what was rendered", () => {
    expect(isEdited(manifestText(pod))).toBe(false);
    expect(isEdited(JSON.stringify(pod))).toBe(false);
    expect(isEdited(manifestText(pod).replace("--allow-privileged=true", "--allow-privileged=false"))).toBe(true);
  });

  test.each(["", "{", "[]", '{"apiVersion":"v1"}'])("may also leave no pod: %j", (text) => {
    expect(isEdited(text)).toBe(true);
  });
});

test("a renewed certificate restarts the pods that have read the old one", () => {
  const renewed = masterInput.pkiFiles.map((file) =>
    file.path.endsWith("apiserver.crt") ? { ...file, content: "renewed" } : file,
  );
  const texts = [masterInput.pkiFiles, renewed].map((pkiFiles) =>
    filesOf(planMaster({ ...masterInput, pkiFiles }))
      .filter(({ path }) => path.endsWith("master-multi.json"))
      .map(({ content }) => content),
  );
  expect(texts[0]).not.toEqual(texts[1]);
});
