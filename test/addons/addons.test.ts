import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { AddonContext } from "../../src/addons/addon.js";
import { addonFile, addonObjects, addons, checkAddons } from "../../src/addons/addons.js";
import { clusterTolerations, isTolerated } from "../../src/addons/podParts.js";
import { pathOf } from "../../src/api/pathOf.js";
import { featuresOf, supportedMinors } from "../../src/kubernetes/versions.js";
import { type AddonName, addonNames } from "../../src/model/addonNames.js";
import { observed } from "../plan/fixtures.js";
import { clusterConfig } from "../kubernetes/clusterConfig.js";

interface Of {
  /** Of the image's own CoreDNS; undefined: it has none. */
  readonly own?: string;
  readonly registry?: string;
  readonly mirrors?: Readonly<Record<string, string>>;
}

function contextOf(version: string, { own, registry, mirrors = {} }: Of = {}): AddonContext {
  const { coredns, ...imagePrograms } = observed.host.imagePrograms;
  return {
    config: { ...clusterConfig, version, image: `tsdeploy/hyperkube:${version}`, ...(registry !== undefined && { registry }) },
    features: featuresOf(version),
    observed: {
      ...observed,
      host: { ...observed.host, imagePrograms: own === undefined ? imagePrograms : { ...imagePrograms, coredns: coredns ?? "" } },
      image: { ...observed.image, labels: own === undefined ? {} : { "io.tsdeploy.image.coredns": own } },
    },
    mirrors,
  };
}

function textOf(name: AddonName, version: string, of?: Of): string {
  return addonFile(name, addonObjects(name, contextOf(version, of))).content;
}

const everyVersion = supportedMinors().map((minor) => `${minor}.0`);
const available = addonNames.flatMap((name) =>
  everyVersion
    .filter((version) => "version" in addons[name].availability(featuresOf(version)))
    .map((version) => ({ name, version })),
);

test.each([
  ...["v1.3.0", "v1.6.0", "v1.20.2", "v1.21.0", "v1.36.2"].map((version) => ["coredns", version] as const),
  ...["v1.9.6", "v1.20.2", "v1.36.2"].map((version) => ["metrics-server", version] as const),
  ...["v1.3.0", "v1.6.0", "v1.12.0"].map((version) => ["dashboard", version] as const),
])("%s for %s is as reviewed", async (name, version) => {
  await expect(textOf(name, version)).toMatchFileSnapshot(`golden/${name}-${version}.yaml`);
});

test.each(available)("$name for $version is objects that we can send, with the add-on manager's labels", ({ name, version }) => {
  const objects = addonObjects(name, contextOf(version));
  for (const object of objects) {
    expect(pathOf(object)).toMatch(/^\/api/);
    expect(object.metadata.labels).toMatchObject({ "kubernetes.io/cluster-service": "true" });
  }
  const documents = parseAllDocuments(textOf(name, version));
  expect(Array.isArray(documents) && documents.map((document) => document.toJS() as unknown)).toEqual(objects);
  expect(objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toContain(`Deployment ${addons[name].deployment}`);
});

describe("CoreDNS", () => {
  test("runs from the node's own image where that has it", () => {
    const text = textOf("coredns", "v1.36.2", { own: "1.14.2" });
    expect(text).toContain("image: tsdeploy/hyperkube:v1.36.2");
    expect(text).toContain("command:\n            - /usr/local/bin/coredns\n");
    expect(textOf("coredns", "v1.36.2")).not.toContain("command:");
  });

  test("has an image of its own where the node's is too new for its API server", () => {
    expect(textOf("coredns", "v1.20.2", { own: "1.11.1" })).not.toContain("image: tsdeploy/hyperkube");
    expect(textOf("coredns", "v1.20.2", { own: "1.10.1" })).toContain("image: tsdeploy/hyperkube:v1.20.2");
    expect(textOf("coredns", "v1.21.0", { own: "1.11.1" })).toContain("image: tsdeploy/hyperkube:v1.21.0");
  });

  test("comes from the cluster's registry, or where a mirror has that", () => {
    const mirrors = { "registry.k8s.io": "mirror.example.com/k8s" };
    expect(textOf("coredns", "v1.36.2", { registry: "example.com/k" })).toContain("image: example.com/k/coredns:v1.14.2");
    expect(textOf("coredns", "v1.36.2", { mirrors })).toContain("image: mirror.example.com/k8s/coredns/coredns:v1.14.2");
  });

  test.each([
    ["1.1.3", ["upstream", "proxy . /etc/resolv.conf"], ["loop", "ready", "lameduck", "forward", "max_concurrent", "ttl"]],
    ["1.3.1", ["upstream", "forward . /etc/resolv.conf", "loop", "ttl 30"], ["ready", "lameduck", "max_concurrent", "proxy"]],
    ["1.6.2", ["ready", "loop"], ["upstream", "lameduck", "max_concurrent"]],
    ["1.7.0", ["ready", "loop", "lameduck 5s", "max_concurrent 1000"], ["upstream", "disable"]],
    ["1.14.2", ["loop", "lameduck 5s", "max_concurrent 1000", "disable success cluster.local"], ["upstream"]],
  ])("%s is told what it understands", (own, has, hasNot) => {
    const map = addonObjects("coredns", contextOf("v1.36.2", { own })).find(({ kind }) => kind === "ConfigMap");
    const corefile = (map?.["data"] as { readonly Corefile: string }).Corefile;
    const words = corefile.split("\n").map((line) => line.trim());
    for (const line of has) expect(words.some((word) => word.startsWith(line)), line).toBe(true);
    for (const line of hasNot) expect(words.some((word) => word.startsWith(line)), line).toBe(false);
  });

  test("leaves the number of replicas to the add-on manager, and its Corefile to who edits it", () => {
    const objects = addonObjects("coredns", contextOf("v1.36.2"));
    const deployment = objects.find(({ kind }) => kind === "Deployment");
    expect(deployment?.["spec"]).not.toHaveProperty("replicas");
    expect(deployment?.metadata.annotations).toEqual({ "io.tsdeploy.replicas": "1-2" });
    const modes = objects.map(({ kind, metadata }) => [kind, metadata.labels?.["addonmanager.kubernetes.io/mode"]]);
    expect(modes.filter(([, mode]) => mode === "EnsureExists")).toEqual([["ConfigMap", "EnsureExists"]]);
  });
});

test("an add-on that a version has not is refused with the reason", () => {
  const refusal = (names: readonly AddonName[], version: string) => () => {
    checkAddons(names, featuresOf(version));
  };
  expect(refusal(["coredns", "dashboard"], "v1.12.0")).not.toThrow();
  expect(refusal(["coredns", "dashboard"], "v1.16.0")).toThrow("no add-on dashboard for Kubernetes v1.16.0: its last release");
  expect(refusal(["metrics-server"], "v1.7.0")).toThrow("no add-on metrics-server for Kubernetes v1.7.0: it needs an API");
});

test("a dashboard that lets everybody in says so", () => {
  expect(addons.dashboard.danger?.(featuresOf("v1.3.0"))).toContain("administrator");
  expect(addons.dashboard.danger?.(featuresOf("v1.6.0"))).toContain("the role view");
  expect(addons.dashboard.danger?.(featuresOf("v1.12.0"))).toBeUndefined();
});

test.each([
  [{ key: "node-role.kubernetes.io/master", effect: "NoSchedule" }, true],
  [{ key: "node-role.kubernetes.io/master", effect: "NoExecute" }, false],
  [{ key: "node-role.kubernetes.io/master", value: "yes", effect: "NoSchedule" }, false],
  [{ key: "CriticalAddonsOnly", value: "yes", effect: "NoExecute" }, true],
  [{ key: "dedicated", value: "db", effect: "NoSchedule" }, false],
  [{ key: "dedicated", value: "db", effect: "PreferNoSchedule" }, true],
] as const)("of the taint %o it is told whether the cluster's own pods bear it", (taint, isBorne) => {
  expect(isTolerated(taint, clusterTolerations)).toBe(isBorne);
});
