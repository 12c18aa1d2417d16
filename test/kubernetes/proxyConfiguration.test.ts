import { describe, expect, test } from "vitest";
import {
  checkProxyMode,
  clusterProxyConfiguration,
  proxyConfiguration,
  proxyFlags,
} from "../../src/kubernetes/proxyConfiguration.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { config, observed } from "../plan/fixtures.js";
import { fewScenariosOf, renderProxy, type Scenario } from "./renderings.js";

function configuration(
  extraArgs: Record<string, string>,
  conntrackMaxWritable = true,
  version = "v1.20.2",
): Record<string, unknown> {
  return proxyConfiguration({
    config,
    features: featuresOf(version),
    observed: { ...observed, host: { ...observed.host, conntrackMaxWritable } },
    nodeName: "n",
    kubeconfig: "/k",
    extraArgs,
    patches: [],
  });
}

test("a flag that has a field becomes it, with the field's type", () => {
  const document = configuration({
    "proxy-mode": "ipvs",
    "conntrack-min": "5",
    "masquerade-all": "true",
    "nodeport-addresses": "10.0.0.0/8,192.168.0.0/16",
    "feature-gates": "A=true,B=false",
    v: "3",
  });
  expect(document).toMatchObject({
    mode: "ipvs",
    conntrack: { min: 5 },
    iptables: { masqueradeAll: true },
    nodePortAddresses: ["10.0.0.0/8", "192.168.0.0/16"],
    featureGates: { A: true, B: false },
    clientConnection: { kubeconfig: "/k" },
  });
  expect(document).not.toHaveProperty("v");
});

test("of feature gates those that the cluster needs stay", () => {
  const document = proxyConfiguration({
    config: { ...config, podCidr: ["10.244.0.0/16", "fd00:10:244::/56"] },
    features: featuresOf("v1.20.2"),
    observed,
    nodeName: "n",
    kubeconfig: "/k",
    extraArgs: { "feature-gates": "A=true" },
    patches: [],
  });
  expect(document).toMatchObject({ featureGates: { A: true, IPv6DualStack: true } });
});

test("flags that the file silences are refused by name", () => {
  expect(() => configuration({ master: "x", cleanup: "true" })).toThrow(/--master.*\n.*--cleanup/);
});

test.each([
  ["conntrack-min", "many"],
  ["masquerade-all", "yes"],
  ["feature-gates", "A"],
])("--%s=%s has the wrong type", (flag, value) => {
  expect(() => configuration({ [flag]: value })).toThrow(`EXTRA_ARG_VALUE: extraArgs.proxy: --${flag}`);
});

test("nf_conntrack_max is left alone where it cannot be written", () => {
  expect(configuration({}, false)).toHaveProperty("conntrack", { maxPerCore: 0, min: 0 });
  expect(configuration({}, false, "v1.14.10")).toHaveProperty("conntrack", { max: 0, maxPerCore: 0, min: 0 });
  expect(configuration({}, true)).not.toHaveProperty("conntrack");
});

describe("a field that not every version's file has", () => {
  test.each([
    ["bind-address-hard-fail", "true", "v1.18.20", "v1.19.0"],
    ["iptables-localhost-nodeports", "false", "v1.25.10", "v1.26.0"],
    ["conntrack-udp-timeout", "10s", "v1.28.15", "v1.29.14"],
  ])("is refused for --%s=%s in %s, not in %s", (flag, value, before, after) => {
    expect(() => configuration({ [flag]: value }, true, before)).toThrow(`--${flag} in ${before}`);
    expect(() => configuration({ [flag]: value }, true, after)).not.toThrow();
  });

  test("may also have gone", () => {
    expect(configuration({ "conntrack-max": "9" }, true, "v1.14.10")).toHaveProperty("conntrack", { max: 9 });
    expect(() => configuration({ "conntrack-max": "9" }, true, "v1.15.0")).toThrow("EXTRA_ARG_SILENCED");
    expect(() => configuration({ "udp-timeout": "1s" }, true, "v1.25.10")).not.toThrow();
    expect(() => configuration({ "udp-timeout": "1s" }, true, "v1.26.0")).toThrow("EXTRA_ARG_SILENCED");
  });
});

test("the cluster's configuration as a person has edited it is followed; the node's own facts are not in it", () => {
  const features = featuresOf("v1.36.2");
  const base = { ...clusterProxyConfiguration({ ...config, proxyMode: "nftables" }, features), oomScoreAdj: -5 };
  const document = proxyConfiguration({
    config,
    features,
    observed,
    nodeName: "n",
    kubeconfig: "/k",
    extraArgs: {},
    patches: [],
    base: { ...base, hostnameOverride: "other", clientConnection: { kubeconfig: "/other", qps: 7 } },
  });
  expect(document).toMatchObject({
    mode: "nftables",
    oomScoreAdj: -5,
    hostnameOverride: "n",
    clientConnection: { kubeconfig: "/k", qps: 7 },
  });
});

describe("kube-proxy's command line", () => {
  const flagsOf = (version: string, scenario: Partial<Scenario> = {}): Readonly<Record<string, string>> => {
    const features = featuresOf(version);
    const [first] = fewScenariosOf(features);
    if (!first) throw new Error("no scenario");
    return renderProxy(features, { ...first, ...scenario }).flags;
  };

  test("names the file, and what that leaves in force", () => {
    const features = featuresOf("v1.36.2");
    const extraArgs = { v: "3", "proxy-mode": "ipvs" };
    expect(proxyFlags({ role: "master", config, features, document: {}, extraArgs })).toEqual({
      config: "/etc/kubernetes/kube-proxy-config.yaml",
      v: "3",
    });
  });

  test("is what the file would say where there is none, and any extra argument", () => {
    const features = featuresOf("v1.9.11");
    const extraArgs = { "masquerade-all": "true", cleanup: "false" };
    const document = configuration({}, true, "v1.9.11");
    expect(proxyFlags({ role: "worker", config, features, document, extraArgs })).toEqual({
      "bind-address": "0.0.0.0",
      cleanup: "false",
      "cluster-cidr": "10.244.0.0/16",
      "healthz-bind-address": "127.0.0.1",
      "hostname-override": "n",
      kubeconfig: "/k",
      "masquerade-all": "true",
      "proxy-mode": "iptables",
      "resource-container": "",
    });
  });

  test("cannot say a patched field that never was a flag", () => {
    const features = featuresOf("v1.9.11");
    const document = { ...configuration({}, true, "v1.9.11"), winkernel: { networkName: "x" } };
    expect(() => proxyFlags({ role: "worker", config, features, document, extraArgs: {} })).toThrow(
      /PATCH_FIELD.*kube-proxy of v1\.9\.11 .*winkernel/,
    );
  });

  test("answers probes at the same port in every version", () => {
    expect(flagsOf("v1.3.6")).toMatchObject({ "healthz-bind-address": "127.0.0.1", "healthz-port": "10256" });
    expect(flagsOf("v1.7.16")).toMatchObject({ "healthz-bind-address": "127.0.0.1" });
    expect(flagsOf("v1.7.16")).not.toHaveProperty("healthz-port");
  });

  test.each([
    ["v1.3.2", { "conntrack-max": "0" }],
    ["v1.3.6", { "conntrack-max-per-core": "0" }],
    ["v1.4.1", { "conntrack-max-per-core": "0", "conntrack-min": "0" }],
  ])("leaves nf_conntrack_max alone in %s", (version, wanted) => {
    const flags = flagsOf(version, { conntrackMaxWritable: false });
    expect(Object.fromEntries(Object.entries(flags).filter(([flag]) => flag.startsWith("conntrack")))).toEqual(wanted);
  });

  test.each([
    ["master", "http://127.0.0.1:8080"],
    ["worker", "http://10.0.0.5:8080"],
  ] as const)("has no kubeconfig on a %s of v1.3 whose API is open", (role, master) => {
    expect(flagsOf("v1.3.6", { role, insecureApi: true })).toMatchObject({ master });
    expect(flagsOf("v1.3.6", { role, insecureApi: true })).not.toHaveProperty("kubeconfig");
    expect(flagsOf("v1.3.6", { role, insecureApi: false })).not.toHaveProperty("master");
  });
});

describe("a proxy mode", () => {
  test.each([
    ["iptables", "v1.3.6"],
    ["ipvs", "v1.10.0"],
    ["ipvs", "v1.36.2"],
    ["nftables", "v1.31.0"],
  ] as const)("%s is there in %s", (mode, version) => {
    expect(() => { checkProxyMode(mode, featuresOf(version)); }).not.toThrow();
  });

  test.each([
    ["ipvs", "v1.9.11", "v1.10"],
    ["nftables", "v1.30.14", "v1.31"],
    ["nftables", "v1.3.6", "v1.31"],
  ] as const)("%s is not in %s", (mode, version, from) => {
    expect(() => { checkProxyMode(mode, featuresOf(version)); }).toThrow(
      new RegExp(`PROXY_MODE_UNSUPPORTED.*${version} has no mode ${mode}: that came with ${from}`),
    );
  });
});
