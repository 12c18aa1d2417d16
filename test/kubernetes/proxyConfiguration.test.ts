import { expect, test } from "vitest";
import { proxyConfiguration } from "../../src/kubernetes/proxyConfiguration.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { config, observed } from "../plan/fixtures.js";

function configuration(extraArgs: Record<string, string>, conntrackMaxWritable = true): unknown {
  return proxyConfiguration({
    config,
    features: featuresOf("v1.20.2"),
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
  expect(configuration({}, false)).toMatchObject({ conntrack: { maxPerCore: 0, min: 0 } });
  expect(configuration({}, true)).not.toHaveProperty("conntrack");
});
