import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { isEdited, manifestText, type Pod } from "../../src/kubernetes/renderManifests.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { MasterOptions, Patch } from "../../src/model/options.js";
import { filesOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { masterInput, masterOptions } from "../plan/fixtures.js";
import { fewScenariosOf, renderPods, type Scenario } from "./renderings.js";

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

test("controllers are not held up by their own rate limit when they start, unless a person wants another", () => {
  expect(commandOf("controller-manager")).toContain("--kube-api-qps=100");
  expect(commandOf("controller-manager")).toContain("--kube-api-burst=200");
  const command = commandOf("controller-manager", { extraArgs: { "controller-manager": { "kube-api-qps": "5" } } });
  expect(command.filter((word) => word.startsWith("--kube-api-qps"))).toEqual(["--kube-api-qps=5"]);
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

describe("by version", () => {
  const podsOf = (version: string, scenario: Partial<Scenario> = {}): Pod[] => {
    const features = featuresOf(version);
    const [first] = fewScenariosOf(features);
    if (!first) throw new Error("no scenario");
    return renderPods(features, { ...first, role: "master", ...scenario });
  };
  const containerOf = (name: string, ...args: Parameters<typeof podsOf>): Pod["spec"]["containers"][number] => {
    const found = podsOf(...args)
      .flatMap(({ spec }) => spec.containers)
      .find((container) => container.name === name);
    if (!found) throw new Error(`no container ${name}`);
    return found;
  };
  const versions = ["v1.3.6", "v1.5.8", "v1.6.13", "v1.9.11", "v1.10.13", "v1.14.10", "v1.20.2", "v1.24.17", "v1.36.2"];

  test.each(versions)("%s leaves nothing to fill in, no empty word, and mounts what it names", (version) => {
    for (const insecureApi of [false, featuresOf(version).insecureApi]) {
      for (const { spec } of podsOf(version, { insecureApi })) {
        expect(JSON.stringify(spec)).not.toContain("{{");
        const mounts = spec.containers.flatMap(({ volumeMounts = [] }) => volumeMounts.map(({ name }) => name));
        expect([...new Set(mounts)].sort()).toEqual(spec.volumes?.map(({ name }) => name).sort());
        for (const { command = [] } of spec.containers) expect(command).not.toContain("");
      }
    }
  });

  test.each([
    ["v1.3.6", { scheme: "HTTP", port: 8080 }, { scheme: "HTTP", port: 10252 }, { scheme: "HTTP", port: 10251 }],
    ["v1.12.10", { scheme: "HTTPS", port: 6443 }, { scheme: "HTTP", port: 10252 }, { scheme: "HTTP", port: 10251 }],
    ["v1.36.2", { scheme: "HTTPS", port: 6443 }, { scheme: "HTTPS", port: 10257 }, { scheme: "HTTPS", port: 10259 }],
  ])("%s is asked for its health where it answers without credentials", (version, apiserver, manager, scheduler) => {
    for (const [name, wanted] of [["apiserver", apiserver], ["controller-manager", manager], ["scheduler", scheduler]] as const) {
      expect(containerOf(name, version).livenessProbe?.httpGet).toMatchObject({ ...wanted, path: "/healthz" });
    }
    const url = `${apiserver.scheme.toLowerCase()}://127.0.0.1:${apiserver.port}`;
    expect(containerOf("kube-proxy", version).command).toEqual(expect.arrayContaining(["--api", url]));
  });

  test("v1.3 is secure unless it is asked not to be", () => {
    const secure = containerOf("apiserver", "v1.3.6").command;
    expect(secure).toEqual(
      expect.arrayContaining([
        "--authorization-mode=ABAC",
        "--authorization-policy-file=/srv/kubernetes/abac-policy.jsonl",
        "--insecure-bind-address=127.0.0.1",
        "--token-auth-file=/srv/kubernetes/known_tokens.csv",
      ]),
    );
    expect(secure?.join()).not.toContain("basic-auth");
    const open = containerOf("apiserver", "v1.3.6", { insecureApi: true }).command;
    expect(open).toEqual(
      expect.arrayContaining([
        "--authorization-mode=AlwaysAllow",
        "--basic-auth-file=/srv/kubernetes/basic_auth.csv",
        "--insecure-bind-address=0.0.0.0",
      ]),
    );
    // Of two words more: the names of certificates.
    expect(containerOf("setup", "v1.3.6").command?.slice(1, -2)).toEqual(["--tokens", "--rsa"]);
    const withPasswords = containerOf("setup", "v1.3.6", { insecureApi: true }).command;
    expect(withPasswords?.slice(1, -2)).toEqual(["--tokens", "--basic-auth", "--rsa"]);
    expect(containerOf("setup", "v1.6.13").command?.slice(1, -2)).toEqual(["--rsa"]);
    expect(containerOf("setup", "v1.20.2").command).toHaveLength(3);
  });

  test("an open API of v1.3 is all that its control plane uses: no kubeconfig is mounted", () => {
    const [master] = podsOf("v1.3.6", { insecureApi: true }).filter(({ metadata }) => metadata.name === "k8s-master");
    expect(JSON.stringify(master)).not.toContain(".conf");
    expect(containerOf("scheduler", "v1.3.6", { insecureApi: true }).command).toContain("--master=127.0.0.1:8080");
  });

  test("8080 is opened beside the rest from v1.6 on, where it is asked for; closed else; and not heard of from v1.20 on", () => {
    const flags = (version: string, insecureApi: boolean): string[] =>
      containerOf("apiserver", version, { insecureApi }).command?.filter((word) => word.startsWith("--insecure")) ?? [];
    expect(flags("v1.12.10", true)).toEqual(["--insecure-port=8080", "--insecure-bind-address=0.0.0.0"]);
    expect(flags("v1.12.10", false)).toEqual(["--insecure-port=0"]);
    expect(flags("v1.20.2", false)).toEqual([]);
    const open = podsOf("v1.12.10", { insecureApi: true });
    const closed = podsOf("v1.12.10", { insecureApi: false });
    const others = (pods: readonly Pod[]): unknown => pods.flatMap(({ spec }) => spec.containers.filter(({ name }) => name !== "apiserver"));
    expect(others(open)).toEqual(others(closed));
  });

  test.each([
    ["v1.23.17", "--kubeconfig=/etc/kubernetes/scheduler.conf", "/etc/kubernetes/scheduler-config.yaml"],
    ["v1.24.17", "--config=/etc/kubernetes/scheduler-config.yaml", undefined],
  ])("the scheduler of %s is told all by %s", (version, flag, unused) => {
    const { command, volumeMounts } = containerOf("scheduler", version);
    expect(command).toContain(flag);
    expect(volumeMounts?.map(({ mountPath }) => mountPath)).not.toContain(unused);
    expect(volumeMounts?.map(({ mountPath }) => mountPath)).toContain("/etc/kubernetes/scheduler.conf");
  });

  test.each([
    ["v1.3.6", "apiserver", "/hyperkube apiserver"],
    ["v1.16.15", "apiserver", "/hyperkube apiserver"],
    ["v1.17.17", "apiserver", "/hyperkube kube-apiserver"],
    ["v1.36.2", "kube-proxy", "/hyperkube kube-proxy"],
  ])("in %s the %s is %s", (version, container, program) => {
    expect(containerOf(container, version).command?.join(" ")).toContain(`-- ${program} --`);
  });

  test.each([
    ["v1.10.13", undefined],
    ["v1.11.10", "system-node-critical"],
  ])("pods of %s have the priority class %s", (version, priorityClassName) => {
    for (const { spec } of podsOf(version)) expect(spec.priorityClassName).toBe(priorityClassName);
  });

  test.each([
    ["v1.13.12", false],
    ["v1.14.10", true],
    ["v1.30.14", true],
    ["v1.31.14", false],
  ])("pod CIDRs of %s are given by a process of their own: %s", (version, isOwn) => {
    expect(podsOf(version).some(({ metadata }) => metadata.name === "k8s-node-ipam")).toBe(isOwn);
  });

  test("programs are called as the image has them", () => {
    const features = featuresOf("v1.36.2");
    const [first] = fewScenariosOf(features);
    if (!first) throw new Error("no scenario");
    const programs = { apiserver: ["/usr/local/bin/kube-apiserver"] };
    const [master] = renderPods(features, { ...first, role: "master" }, programs).filter(
      ({ metadata }) => metadata.name === "k8s-master",
    );
    expect(master?.spec.containers[1]?.command?.join(" ")).toContain("-- /usr/local/bin/kube-apiserver --");
  });
});
