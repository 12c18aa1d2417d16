import { describe, expect, test } from "vitest";
import { pathOf } from "../../src/api/pathOf.js";
import { bootstrapObjects, clusterConfigMap, parseClusterConfig } from "../../src/kubernetes/bootstrapObjects.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { ClusterConfig } from "../../src/model/clusterConfig.js";
import type { KubernetesObject } from "../../src/model/kubernetesObject.js";
import { clusterConfig } from "./clusterConfig.js";

function objectsOf(version: string): KubernetesObject[] {
  return bootstrapObjects({ ...clusterConfig, version }, "CA", featuresOf(version));
}

/** `subject -> role namespace` */
function bindingsOf(objects: readonly KubernetesObject[]): string[] {
  return objects.flatMap((object) => {
    if (!object.kind.endsWith("Binding")) return [];
    const { roleRef, subjects } = object as unknown as { roleRef: { name: string }; subjects: { name: string }[] };
    return subjects.map(({ name }) => `${name} -> ${roleRef.name} ${object.metadata.namespace ?? ""}`.trim());
  });
}

describe("bootstrap objects", () => {
  const objects = objectsOf("v1.20.2");
  const approver = "system:certificates.k8s.io:certificatesigningrequests";

  test("bind groups to what they may do", () => {
    expect(bindingsOf(objects).sort()).toEqual([
      "system:anonymous -> tsdeploy:cluster-info kube-public",
      `system:bootstrappers:tsdeploy:default-node-token -> ${approver}:nodeclient`,
      "system:bootstrappers:tsdeploy:default-node-token -> system:node-bootstrapper",
      "system:bootstrappers:tsdeploy:default-node-token -> tsdeploy:cluster-config kube-system",
      "system:bootstrappers:tsdeploy:default-node-token -> tsdeploy:get-nodes",
      `system:nodes -> ${approver}:selfnodeclient`,
      "system:nodes -> system:node-proxier",
      "system:nodes -> tsdeploy:cluster-config kube-system",
      "system:nodes -> tsdeploy:node-delete-self",
    ]);
  });

  test("come with every role of ours before what binds it", () => {
    const seen = new Set<string>();
    for (const object of objects) {
      const { roleRef } = object as { roleRef?: { name: string } };
      if (roleRef?.name.startsWith("tsdeploy:")) expect(seen).toContain(roleRef.name);
      seen.add(object.metadata.name);
    }
  });

  test("have a place in the API, each another", () => {
    expect(new Set(objects.map(pathOf)).size).toBe(objects.length);
  });

  test("let who joins and who has joined read all that the nodes have in common", () => {
    const role = objects.find(({ kind, metadata }) => kind === "Role" && metadata.name === "tsdeploy:cluster-config");
    expect(role?.rules).toEqual([
      { apiGroups: [""], resources: ["configmaps"], resourceNames: ["tsdeploy", "kubelet-config", "kube-proxy"], verbs: ["get"] },
    ]);
    const maps = objects.filter(({ kind, metadata }) => kind === "ConfigMap" && metadata.namespace === "kube-system");
    expect(maps.map(({ metadata }) => metadata.name)).toEqual(["tsdeploy", "kubelet-config", "kube-proxy"]);
  });

  test.each([
    ["v1.6.13", "rbac.authorization.k8s.io/v1beta1"],
    ["v1.8.15", "rbac.authorization.k8s.io/v1"],
  ])("of %s are of %s", (version, rbac) => {
    const versions = new Set(objectsOf(version).map(({ apiVersion }) => apiVersion));
    expect([...versions].sort()).toEqual([rbac, "v1"]);
  });

  test("of versions whose tokens have no groups are for all who join", () => {
    expect(bindingsOf(objectsOf("v1.7.16"))).toContain("system:bootstrappers -> system:node-bootstrapper");
    expect(bindingsOf(objectsOf("v1.8.15")).join()).not.toContain("system:bootstrappers ->");
  });

  test("bring the approvers' roles where the API server does not, and no binding where there are none", () => {
    const rolesOf = (version: string): string[] =>
      objectsOf(version).flatMap(({ kind, metadata }) => (kind === "ClusterRole" ? [metadata.name] : []));
    expect(rolesOf("v1.7.16")).toEqual(expect.arrayContaining([`${approver}:nodeclient`, `${approver}:selfnodeclient`]));
    expect(rolesOf("v1.8.15").join()).not.toContain(approver);
    expect(bindingsOf(objectsOf("v1.6.13")).join()).not.toContain(approver);
  });

  test.each(["v1.3.6", "v1.5.8"])("of %s, without roles, are the cluster's configuration alone", (version) => {
    expect(objectsOf(version).map(pathOf)).toEqual([
      "/api/v1/namespaces/kube-system",
      "/api/v1/namespaces/kube-system/configmaps/tsdeploy",
    ]);
  });
});

describe("the cluster's configuration", () => {
  test("survives the ConfigMap", () => {
    expect(parseClusterConfig(clusterConfigMap(clusterConfig))).toEqual(clusterConfig);
    const withRegistry = { ...clusterConfig, registry: "registry.example.com/k8s" };
    expect(parseClusterConfig(clusterConfigMap(withRegistry))).toEqual(withRegistry);
    const dual: ClusterConfig = {
      ...clusterConfig,
      podCidr: ["10.244.0.0/16", "fd00:10:244::/56"],
      serviceCidr: ["10.96.0.0/16", "fd00:10:96::/112"],
    };
    expect(parseClusterConfig(clusterConfigMap(dual))).toEqual(dual);
    expect(JSON.stringify(clusterConfigMap(clusterConfig))).toContain('\\"podCidr\\": \\"10.244.0.0/16\\"');
  });

  test("reads as it was written before there was a choice of proxies", () => {
    const { insecureApi, proxyMode, ...before } = clusterConfig;
    const old = { data: { "cluster.json": JSON.stringify({ ...before, podCidr: "10.244.0.0/16", serviceCidr: "10.96.0.0/12" }) } };
    expect(parseClusterConfig(old)).toEqual({ ...before, insecureApi, proxyMode });
    expect({ insecureApi, proxyMode }).toEqual({ insecureApi: false, proxyMode: "iptables" });
  });

  test("is refused by field when it is not as we write it", () => {
    const other = { ...clusterConfigMap(clusterConfig), data: { "cluster.json": '{"network":"other"}' } };
    expect(() => parseClusterConfig(other)).toThrow(/NOT_TSDEPLOY.*clusterName.*network/);
    expect(() => parseClusterConfig({ data: {} })).toThrow(/NOT_TSDEPLOY/);
    expect(() => parseClusterConfig({ data: { "cluster.json": "{" } })).toThrow(/NOT_TSDEPLOY/);
  });
});
