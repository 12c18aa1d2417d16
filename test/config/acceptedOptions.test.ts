import { describe, expect, test } from "vitest";
import {
  acceptedOptionsFile,
  acceptedWorkerFile,
  type AcceptedWorkerOptions,
  followAccepted,
  parseAcceptedOptions,
  parseAcceptedWorkerOptions,
} from "../../src/config/acceptedOptions.js";

const accepted: AcceptedWorkerOptions = {
  ip: ["10.0.0.6"],
  nodeName: "rack-2",
  nodeLabels: { rack: "2" },
  nodeTaints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }],
  extraArgs: { kubelet: { "max-pods": "50" } },
  registryMirrors: { "registry.k8s.io": "mirror.example.com:5000/k8s" },
  mirror: "https://files.example.com/mirror",
  patches: [{ target: "kubelet", type: "merge", body: { maxPods: 60 }, file: "kubelet.yaml" }],
  restartPolicy: "always",
};

const asked = { given: new Set<string>(), nodeLabels: {}, extraArgs: {}, restartPolicy: "unless-stopped" };

describe("what a worker accepted", () => {
  test("comes back from its file as it was, and is for root alone", () => {
    const file = acceptedWorkerFile(accepted);
    expect(file.mode).toBe(0o600);
    expect(parseAcceptedWorkerOptions(file.content)).toEqual(accepted);
  });

  test("is followed where the person says nothing", () => {
    expect(followAccepted(asked, accepted)).toMatchObject({ nodeName: "rack-2", restartPolicy: "always" });
  });

  test("gives way to what the person says", () => {
    const options = { ...asked, extraArgs: { kubelet: { v: "4" } }, given: new Set(["extraArgs"]) };
    expect(followAccepted(options, accepted)).toMatchObject({
      extraArgs: { kubelet: { v: "4" } },
      nodeLabels: { rack: "2" },
    });
  });

  test("does not hold on to an image when another version is asked for", () => {
    const options = { ...asked, k8sVersion: "v1.20.3", given: new Set(["k8sVersion"]) };
    const image = "registry.example.com/hyperkube:v1.20.2";
    expect(followAccepted(options, { ...accepted, image, k8sVersion: "v1.20.2" })).not.toHaveProperty("image");
    expect(followAccepted(asked, { ...accepted, image, k8sVersion: "v1.20.2" })).toMatchObject({ image });
  });
});

describe("what a master accepted", () => {
  const { registryMirrors, mirror, ...older } = accepted;
  const master = {
    ...older,
    clusterName: "tsdeploy",
    k8sVersion: "v1.36.2",
    podCidr: ["10.244.0.0/16"],
    serviceCidr: ["10.96.0.0/12"],
    clusterDomain: "cluster.local",
    apiserverSans: [],
    network: "bridge",
  } as const;

  test("comes back from its file as it was", () => {
    const added = { networkBackend: "vxlan", networkDirectRouting: true, registryMirrors, mirror: mirror ?? "", insecureApi: true, proxyMode: "nftables", dns: true, enabledAddons: ["metrics-server"], severalMasters: true, join: "10.0.0.5", addons: [{ name: "a.yaml", content: "a" }] } as const;
    const full = { ...master, ...added, etcdVersion: "3.6.8" };
    expect(parseAcceptedOptions(acceptedOptionsFile(full).content)).toEqual(full);
  });

  test("has two address families in its file as options have them", () => {
    const families = {
      ip: ["10.0.0.6", "fd77::6"],
      podCidr: ["10.244.0.0/16", "fd00:10:244::/56"],
      serviceCidr: ["10.96.0.0/16", "fd00:10:96::/112"],
    } as const;
    const added = { registryMirrors, insecureApi: false, proxyMode: "iptables", dns: true, addons: [], severalMasters: false } as const;
    const file = acceptedOptionsFile({ ...master, ...added, networkBackend: "vxlan", networkDirectRouting: false, ...families });
    expect(file.content).toContain("podCidr: 10.244.0.0/16,fd00:10:244::/56\n");
    expect(parseAcceptedOptions(file.content)).toMatchObject(families);
  });

  test("tells the etcd that ran, which is no option to follow", () => {
    const options = followAccepted(asked, { ...master, ...{ registryMirrors, insecureApi: false, proxyMode: "iptables", dns: false, addons: [], severalMasters: false }, etcdVersion: "3.6.8" });
    expect(options).toHaveProperty("podCidr", ["10.244.0.0/16"]);
    expect(options).not.toHaveProperty("etcdVersion");
  });

  test("may be of a time when there was less to say", () => {
    const file = Object.entries(master).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`).join("");
    const added = { networkBackend: "vxlan", networkDirectRouting: false, registryMirrors: {}, insecureApi: false, proxyMode: "iptables", dns: false, enabledAddons: [], addons: [], severalMasters: false };
    expect(parseAcceptedOptions(file)).toEqual({ ...master, ...added });
  });
});

test("a file that is not ours is refused, not half understood", () => {
  expect(() => parseAcceptedOptions("clusterName: [")).toThrow("OPTIONS_BROKEN");
  expect(() => parseAcceptedOptions(acceptedWorkerFile(accepted).content)).toThrow("OPTIONS_BROKEN");
});
