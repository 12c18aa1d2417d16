import { expect, test } from "vitest";
import type { KubernetesClient } from "../../src/api/kubernetesClient.js";
import { lostApisOf } from "../../src/deploy/clusterUse.js";

const requested = (apiVersion: string, resource: string, release: string): string => {
  const [group = "", version = ""] = apiVersion.split("/");
  return `apiserver_requested_deprecated_apis{group="${group}",removed_release="${release}",resource="${resource}",version="${version}"} 1`;
};

const lastApplied = (apiVersion: string) => ({
  "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify({ apiVersion, kind: "Ingress" }),
});

test("what Kubernetes' own controllers ask for is told from what only others do", async () => {
  const metrics = [
    requested("extensions/v1beta1", "ingresses", "1.22"),
    requested("networking.k8s.io/v1beta1", "ingresses", "1.22"),
    requested("policy/v1beta1", "podsecuritypolicies", "1.25"),
    requested("batch/v1beta1", "cronjobs", "1.25"),
  ];
  const objects: Readonly<Record<string, unknown[]>> = {
    "/apis/networking.k8s.io/v1/ingresses": [
      { metadata: { name: "old", namespace: "default", annotations: lastApplied("extensions/v1beta1") } },
      { metadata: { name: "new", namespace: "default", annotations: lastApplied("networking.k8s.io/v1") } },
    ],
  };
  const api = {
    text: () => Promise.resolve(metrics.join("\n")),
    list: (path: string) => Promise.resolve(objects[path] ?? []),
  } as unknown as KubernetesClient;
  const lost = await lostApisOf(api, { from: "v1.21.14", to: "v1.25.0" }, new AbortController().signal);
  expect(lost.map((one) => [one.api, one.isAskedByControlPlane, one.objects])).toEqual([
    ["extensions/v1beta1 ingresses", true, ["default/old"]],
    ["networking.k8s.io/v1beta1 ingresses", false, []],
    ["batch/v1beta1 cronjobs", false, []],
    ["policy/v1beta1 podsecuritypolicies", true, []],
  ]);
});
