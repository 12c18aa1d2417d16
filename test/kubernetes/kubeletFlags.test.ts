import { describe, expect, test } from "vitest";
import { fromArguments } from "../../src/kubernetes/commandFlags.js";
import { clusterKubeletConfiguration, kubeletConfiguration } from "../../src/kubernetes/kubeletConfiguration.js";
import { kubeletFlags, registersTaints } from "../../src/kubernetes/kubeletFlags.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { Patch } from "../../src/model/options.js";
import { observed } from "../plan/fixtures.js";
import { clusterConfig } from "./clusterConfig.js";
import { fewScenariosOf, renderKubelet, type Scenario } from "./renderings.js";

function kubelet(
  version: string,
  scenario: Partial<Scenario> = {},
): ReturnType<typeof renderKubelet> & { readonly flags: object } {
  const features = featuresOf(version);
  const [first] = fewScenariosOf(features);
  if (!first) throw new Error("no scenario");
  const rendered = renderKubelet(features, { ...first, ...scenario });
  return { ...rendered, flags: fromArguments(rendered.argv) };
}

function input(version: string, more: { patches?: readonly Patch[]; base?: Record<string, unknown> } = {}) {
  return {
    role: "worker" as const,
    config: { ...clusterConfig, version },
    features: featuresOf(version),
    observed,
    options: { nodeLabels: {}, nodeTaints: [] },
    patches: [],
    ...more,
  };
}

const taint = { key: "only", value: "me", effect: "NoSchedule" };

describe("a kubelet's configuration", () => {
  test("is flags before v1.10: the same as the file would say", () => {
    const { flags } = kubelet("v1.9.11");
    expect(flags).toMatchObject({
      "anonymous-auth": "false",
      "authentication-token-webhook": "true",
      "authorization-mode": "Webhook",
      "client-ca-file": "/etc/kubernetes/pki/ca.crt",
      "cluster-dns": "10.96.0.10",
      "cgroup-driver": "cgroupfs",
      "eviction-hard": "memory.available<100Mi",
      "pod-manifest-path": "/etc/kubernetes/manifests-multi",
      "read-only-port": "0",
      "register-with-taints": "only=me:NoSchedule",
      "rotate-certificates": "true",
    });
    expect(flags).not.toHaveProperty("config");
  });

  test("is a file from v1.10 on, but for what that has no field for", () => {
    const { document, flags } = kubelet("v1.10.13");
    expect(document).toMatchObject({
      authentication: { anonymous: { enabled: false }, webhook: { enabled: true } },
      readOnlyPort: 0,
      staticPodPath: "/etc/kubernetes/manifests-multi",
    });
    expect(document).not.toHaveProperty("registerWithTaints");
    expect(flags).toMatchObject({
      config: "/etc/kubernetes/kubelet-config.yaml",
      "register-with-taints": "only=me:NoSchedule",
      "rotate-certificates": "true",
      "volume-plugin-dir": "/var/lib/kubelet/volume-plugins",
    });
    expect(flags).not.toHaveProperty("read-only-port");
  });

  test("has no flag left from v1.27 on that a field could say", () => {
    const { document, flags } = kubelet("v1.36.2", { role: "worker" });
    expect(flags).toEqual({
      "bootstrap-kubeconfig": "/etc/kubernetes/bootstrap-kubelet.conf",
      config: "/etc/kubernetes/kubelet-config.yaml",
      "hostname-override": "node-1",
      kubeconfig: "/etc/kubernetes/kubelet.conf",
      "node-ip": "10.0.0.5",
      "node-labels": "rack=1",
      "root-dir": "/var/lib/kubelet",
    });
    expect(document).toMatchObject({
      containerRuntimeEndpoint: "unix:///run/cri-dockerd.sock",
      registerWithTaints: [taint],
    });
  });

  test("is not refused by cgroup v1 where newer kubelets would, and says nothing of it elsewhere", () => {
    expect(kubelet("v1.36.2", { cgroupVersion: "1" }).document).toMatchObject({ failCgroupV1: false });
    expect(kubelet("v1.36.2", { cgroupVersion: "2" }).document).not.toHaveProperty("failCgroupV1");
    expect(kubelet("v1.30.14", { cgroupVersion: "1" }).document).not.toHaveProperty("failCgroupV1");
  });

  test("is the cluster's as a person has edited it, then the node's own facts, then patches", () => {
    const base = { ...clusterKubeletConfiguration(clusterConfig, featuresOf("v1.36.2")), maxPods: 42, resolvConf: "/x" };
    const patch: Patch = { target: "kubelet", type: "merge", body: { readOnlyPort: 1 }, file: "kubelet.yaml" };
    const document = kubeletConfiguration(input("v1.36.2", { base, patches: [patch] }));
    expect(document).toMatchObject({ maxPods: 42, resolvConf: observed.host.resolvConf, readOnlyPort: 1 });
  });

  test.each([
    ["v1.26.15", "v1.27.16", { containerRuntimeEndpoint: "unix:///run/cri-dockerd.sock" }],
    ["v1.35.0", "v1.36.2", { featureGates: { ExtendWebSocketsToKubelet: false, Mine: true } }],
    ["v1.18.20", "v1.19.16", { volumePluginDir: "/var/lib/kubelet/volume-plugins" }],
    ["v1.10.13", "v1.11.10", { rotateCertificates: true }],
  ])("what was edited in %s keeps nothing from the kubelet that %s needs", (before, after, needed) => {
    const base = {
      ...clusterKubeletConfiguration(clusterConfig, featuresOf(before)),
      maxPods: 42,
      featureGates: { Mine: true },
      evictionHard: { "memory.available": "1Gi" },
    };
    const document = kubeletConfiguration(input(after, { base }));
    expect(document).toMatchObject({ maxPods: 42, evictionHard: { "memory.available": "1Gi" }, ...needed });
  });

  test("has the socket of its own runtime, whatever a ConfigMap says", () => {
    const base = { containerRuntimeEndpoint: "unix:///run/containerd/containerd.sock" };
    const document = kubeletConfiguration(input("v1.36.2", { base }));
    expect(document).toMatchObject({ containerRuntimeEndpoint: "unix:///run/cri-dockerd.sock" });
  });

  test("leaves out what an older worker does not know of a newer cluster's", () => {
    const base = clusterKubeletConfiguration(clusterConfig, featuresOf("v1.28.0"));
    expect(base).toHaveProperty("containerRuntimeEndpoint");
    expect(kubeletConfiguration(input("v1.26.15", { base }))).not.toHaveProperty("containerRuntimeEndpoint");
  });

  test("keeps nodes' reports apart where they are not leases' matter", () => {
    expect(kubelet("v1.13.12").document).toMatchObject({ nodeStatusUpdateFrequency: "4s" });
    expect(kubelet("v1.13.12").document).not.toHaveProperty("nodeStatusReportFrequency");
    expect(kubelet("v1.14.10").document).toMatchObject({ nodeStatusUpdateFrequency: "1s" });
  });
});

describe("a patch of a kubelet without a file", () => {
  const flagsWith = (body: unknown): unknown => {
    const patches: Patch[] = [{ target: "kubelet", type: "merge", body, file: "kubelet.yaml" }];
    const given = input("v1.9.11", { patches });
    const document = kubeletConfiguration(given);
    return kubeletFlags({ ...given, document, nodeName: "n", nodeIp: "10.0.0.6", pauseImage: "p", extraArgs: {} });
  };

  test("becomes the field's flag", () => {
    expect(flagsWith({ healthzPort: 10250 })).toMatchObject({ "healthz-port": "10250" });
  });

  test("is refused for a field without a flag", () => {
    expect(() => flagsWith({ maxPods: 3 })).toThrow(/PATCH_FIELD.*v1\.9\.11.*maxPods/);
  });
});

describe("where the API is", () => {
  test.each([
    ["v1.3.6", { role: "master" }, "https://127.0.0.1:6443"],
    ["v1.3.6", { role: "worker" }, "https://10.0.0.5:6443"],
    ["v1.5.8", { role: "worker", insecureApi: true }, "http://10.0.0.5:8080"],
    ["v1.5.8", { role: "master", insecureApi: true }, "http://127.0.0.1:8080"],
  ] as const)("%s says by --api-servers, %j", (version, scenario, server) => {
    const { flags } = kubelet(version, scenario);
    expect(flags).toMatchObject({ "api-servers": server });
    expect(Object.keys(flags).includes("kubeconfig")).toBe(!("insecureApi" in scenario));
    expect(flags).not.toHaveProperty("bootstrap-kubeconfig");
  });

  test.each([
    ["v1.6.13", "experimental-bootstrap-kubeconfig", true],
    ["v1.7.16", "bootstrap-kubeconfig", true],
    ["v1.8.15", "bootstrap-kubeconfig", false],
  ])("%s knows by its kubeconfig, which --%s makes", (version, flag, isRequired) => {
    const { flags } = kubelet(version, { role: "worker" });
    expect(flags).toHaveProperty(flag);
    expect(flags).not.toHaveProperty("api-servers");
    expect(Object.hasOwn(flags, "require-kubeconfig")).toBe(isRequired);
  });

  test("does not change for later kubelets when 8080 is open", () => {
    expect(kubelet("v1.12.10", { insecureApi: true })).toEqual(kubelet("v1.12.10", { insecureApi: false }));
  });
});

describe("CNI", () => {
  test("is named by folder in v1.3, which ends without a configuration: there is none without a pod network", () => {
    expect(kubelet("v1.3.6", { network: "bridge" }).flags).toMatchObject({
      "network-plugin": "cni",
      "network-plugin-dir": "/etc/cni/net.d",
    });
    const { flags } = kubelet("v1.3.6", { network: "none" });
    expect(Object.keys(flags).filter((flag) => /network|cni/.test(flag))).toEqual([]);
  });

  test("plugins are in one folder where the kubelet knows no more: that of the pod network that is used", () => {
    expect(kubelet("v1.10.13", { network: "bridge" }).flags).toMatchObject({ "cni-bin-dir": "/usr/lib/cni" });
    expect(kubelet("v1.10.13", { network: "none" }).flags).toMatchObject({ "cni-bin-dir": "/opt/cni/bin" });
    expect(kubelet("v1.11.10").flags).toMatchObject({ "cni-bin-dir": "/usr/lib/cni,/opt/cni/bin" });
  });

  test("is cri-dockerd's matter from v1.24 on", () => {
    expect(Object.keys(kubelet("v1.24.17").flags).filter((flag) => /network|cni/.test(flag))).toEqual([]);
    expect(kubelet("v1.24.17").flags).toMatchObject({ "container-runtime-endpoint": "unix:///run/cri-dockerd.sock" });
  });
});

test.each([
  ["v1.5.8", false],
  ["v1.6.0", true],
  ["v1.22.17", true],
  ["v1.36.2", true],
])("whether kubelets of %s can give their node taints: %s", (version, can) => {
  expect(registersTaints(featuresOf(version))).toBe(can);
});

test("extra arguments win, in every version", () => {
  for (const version of ["v1.3.6", "v1.9.11", "v1.20.2", "v1.36.2"]) {
    const given = input(version);
    const flags = kubeletFlags({
      ...given,
      document: kubeletConfiguration(given),
      nodeName: "n",
      nodeIp: "10.0.0.6",
      pauseImage: "p",
      extraArgs: { kubelet: { "node-ip": "10.0.0.9", v: "4" } },
    });
    expect(flags).toMatchObject({ "node-ip": "10.0.0.9", v: "4" });
  }
});
