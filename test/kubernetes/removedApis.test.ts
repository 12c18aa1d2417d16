import { describe, expect, it } from "vitest";
import { apisRemovedBetween, parseRequestedApis, removedApis } from "../../src/kubernetes/removedApis.js";

const named = (from: string, to: string): string[] =>
  apisRemovedBetween(from, to).map(({ apiVersion, resource }) => `${apiVersion} ${resource}`);

describe("APIs that releases have no more", () => {
  it("are those between two versions, the later one's included", () => {
    expect(named("v1.20.2", "v1.21.0")).toEqual([]);
    expect(named("v1.20.2", "v1.22.0")).toContain("networking.k8s.io/v1beta1 ingresses");
    expect(named("v1.21.9", "v1.22.0")).toEqual(named("v1.20.2", "v1.22.17"));
    expect(named("v1.22.0", "v1.24.0")).toEqual([]);
    expect(named("v1.26.0", "v1.27.0")).toEqual(["storage.k8s.io/v1beta1 csistoragecapacities"]);
  });

  it("have the plurals that paths have", () => {
    const plurals = new Map(removedApis.map(({ kind, resource }) => [kind, resource]));
    expect(plurals.get("NetworkPolicy")).toBe("networkpolicies");
    expect(plurals.get("IngressClass")).toBe("ingressclasses");
    expect(plurals.get("EndpointSlice")).toBe("endpointslices");
    expect(plurals.get("SubjectAccessReview")).toBe("subjectaccessreviews");
  });

  it("have a replacement that is there before they go, and that is not gone itself by then", () => {
    const minor = (text: string): number => Number(text.split(".")[1]);
    for (const { apiVersion, kind, removedIn, replacement } of removedApis) {
      if (!replacement) continue;
      expect(minor(replacement.since), `${apiVersion} ${kind}`).toBeLessThanOrEqual(minor(removedIn));
      const next = removedApis.find((one) => one.apiVersion === replacement.apiVersion && one.kind === kind);
      if (next) expect(minor(next.removedIn)).toBeGreaterThan(minor(removedIn));
    }
    expect(removedApis.filter(({ replacement }) => !replacement).map(({ kind }) => kind)).toEqual(["PodSecurityPolicy"]);
  });
});

describe("deprecated APIs in use", () => {
  it("are read from the API server's metrics", () => {
    const metrics = `# HELP apiserver_requested_deprecated_apis [ALPHA] Gauge of deprecated APIs that have been requested
# TYPE apiserver_requested_deprecated_apis gauge
apiserver_requested_deprecated_apis{group="extensions",removed_release="1.22",resource="ingresses",subresource="",version="v1beta1"} 1
apiserver_requested_deprecated_apis{group="",removed_release="",resource="componentstatuses",subresource="",version="v1"} 1
apiserver_requested_deprecated_apis{group="batch",removed_release="1.25",resource="cronjobs",subresource="",version="v1beta1"} 0
apiserver_request_total{code="200"} 7
`;
    expect(parseRequestedApis(metrics)).toEqual([
      { apiVersion: "extensions/v1beta1", resource: "ingresses", removedIn: "1.22" },
      { apiVersion: "v1", resource: "componentstatuses" },
    ]);
  });
});
