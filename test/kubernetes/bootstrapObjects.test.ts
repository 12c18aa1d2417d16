import { describe, expect, test } from "vitest";
import { pathOf } from "../../src/api/pathOf.js";
import { bootstrapObjects, clusterConfigMap, parseClusterConfig } from "../../src/kubernetes/bootstrapObjects.js";
import { clusterConfig } from "./clusterConfig.js";

describe("bootstrap objects", () => {
  const objects = bootstrapObjects(clusterConfig, "CA", { rbac: "rbac.authorization.k8s.io/v1" });

  test("bind groups to what they may do", () => {
    const bindings = objects.flatMap((object) => {
      if (!object.kind.endsWith("Binding")) return [];
      const { roleRef, subjects } = object as unknown as { roleRef: { name: string }; subjects: { name: string }[] };
      return subjects.map(({ name }) => `${name} -> ${roleRef.name} ${object.metadata.namespace ?? ""}`.trim());
    });
    const approver = "system:certificates.k8s.io:certificatesigningrequests";
    expect(bindings.sort()).toEqual([
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

  test("follow the RBAC version asked for", () => {
    const old = bootstrapObjects(clusterConfig, "CA", { rbac: "rbac.authorization.k8s.io/v1beta1" });
    const versions = new Set(old.map(({ apiVersion }) => apiVersion));
    expect([...versions].sort()).toEqual(["rbac.authorization.k8s.io/v1beta1", "v1"]);
  });
});

describe("the cluster's configuration", () => {
  test("survives the ConfigMap", () => {
    expect(parseClusterConfig(clusterConfigMap(clusterConfig))).toEqual(clusterConfig);
    const withRegistry = { ...clusterConfig, registry: "registry.example.com/k8s" };
    expect(parseClusterConfig(clusterConfigMap(withRegistry))).toEqual(withRegistry);
  });

  test("is refused by field when it is not as we write it", () => {
    const other = { ...clusterConfigMap(clusterConfig), data: { "cluster.json": '{"network":"other"}' } };
    expect(() => parseClusterConfig(other)).toThrow(/NOT_TSDEPLOY.*clusterName.*network/);
    expect(() => parseClusterConfig({ data: {} })).toThrow(/NOT_TSDEPLOY/);
    expect(() => parseClusterConfig({ data: { "cluster.json": "{" } })).toThrow(/NOT_TSDEPLOY/);
  });
});
