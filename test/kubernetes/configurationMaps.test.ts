import { parse } from "yaml";
import { describe, expect, test } from "vitest";
import {
  configurationMapPath,
  configurationMaps,
  readConfigurationMap,
} from "../../src/kubernetes/configurationMaps.js";
import { clusterKubeletConfiguration } from "../../src/kubernetes/kubeletConfiguration.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { pathOf } from "../../src/api/pathOf.js";
import { clusterConfig } from "./clusterConfig.js";

const features = featuresOf("v1.36.2");
const maps = configurationMaps(clusterConfig, features);

describe("the ConfigMaps of the cluster's configuration", () => {
  test("have kubeadm's names and keys", () => {
    expect(maps.map(pathOf)).toEqual([configurationMapPath("kubelet"), configurationMapPath("proxy")]);
    expect(maps.map(({ data }) => Object.keys(data as object))).toEqual([["kubelet"], ["config.conf"]]);
    const { kubelet = "" } = maps[0]?.data as Record<string, string>;
    expect(parse(kubelet)).toEqual(clusterKubeletConfiguration(clusterConfig, features));
  });

  test("have nothing of a single node", () => {
    const text = JSON.stringify(maps);
    for (const own of ["resolvConf", "cgroupDriver", "failSwapOn", "staticPodPath", "hostnameOverride", "kubeconfig"]) {
      expect(text).not.toContain(own);
    }
  });

  test("are not there for versions that are configured by flags", () => {
    expect(configurationMaps(clusterConfig, featuresOf("v1.9.11"))).toEqual([]);
    expect(configurationMaps(clusterConfig, featuresOf("v1.10.13"))).toHaveLength(2);
  });
});

describe("reading one", () => {
  const [kubelet] = maps;

  test("tells that nobody has changed it, whatever the API server adds", () => {
    const { document, edited } = readConfigurationMap({
      ...kubelet,
      metadata: { ...kubelet?.metadata, uid: "1", resourceVersion: "7", managedFields: [] },
    });
    expect(edited).toBe(false);
    expect(document).toEqual(clusterKubeletConfiguration(clusterConfig, features));
  });

  test("tells that somebody has", () => {
    const text = (kubelet?.data as { kubelet: string }).kubelet.replace("readOnlyPort: 0", "readOnlyPort: 10255");
    const { document, edited } = readConfigurationMap({ ...kubelet, data: { kubelet: text } });
    expect(edited).toBe(true);
    expect(document.readOnlyPort).toBe(10255);
  });

  test("takes one without our annotation as a person's", () => {
    const own = { metadata: { name: "kube-proxy" }, data: { "config.conf": "mode: ipvs\n", other: "x" } };
    expect(readConfigurationMap(own)).toEqual({ document: { mode: "ipvs" }, edited: true });
  });

  test.each(["", "a: [", "- 1", "text"])("says what is wrong with %j", (text) => {
    const broken = { ...kubelet, data: { kubelet: text } };
    expect(() => readConfigurationMap(broken)).toThrow(/CONFIGURATION_BROKEN.*kubelet-config/);
    expect(() => readConfigurationMap({ ...kubelet, data: undefined })).toThrow("CONFIGURATION_BROKEN");
  });
});
