import { describe, expect, it } from "vitest";
import { acceptedOptionsFile } from "../../src/config/acceptedOptions.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { ContainerSummary } from "../../src/model/dockerObjects.js";
import type { ObservedHost } from "../../src/model/hostFacts.js";
import { etcdSteps } from "../../src/plan/etcdSteps.js";
import { container, hostFacts, observedHost } from "../host/fixtures.js";
import { masterOptions } from "./fixtures.js";

const spec = {
  component: "etcd",
  image: "tsdeploy/hyperkube:v1.21.0",
  command: ["etcd"],
  binds: [],
  labels: {},
  hostPid: false,
  privileged: false,
  hostCgroupNamespace: false,
  restartPolicy: "always",
} as const;

const etcdOf = (version: string, state = "running"): ContainerSummary =>
  container("etcd", { "io.tsdeploy.component": "etcd", "io.tsdeploy.image.etcd": version }, { state });

interface Host {
  /** Of Kubernetes, as an earlier run accepted it. */
  readonly accepted?: string;
  readonly containers?: readonly ContainerSummary[];
  readonly imageEtcd?: string;
  readonly etcdData?: boolean;
  readonly entries?: readonly string[];
}

function stepsFor(version: string, host: Host): Map<string, readonly string[]> {
  const { accepted = "v1.20.2", containers = [etcdOf("3.4.23")], imageEtcd = "3.4.23", etcdData = true } = host;
  const options = acceptedOptionsFile({ ...masterOptions, k8sVersion: accepted, ip: ["10.0.0.5"], nodeName: "one" });
  const observed: ObservedHost = {
    ...observedHost,
    engine: { ...observedHost.engine, containers },
    files: new Map([[options.path, options]]),
    host: {
      ...hostFacts,
      etcdData,
      entries: host.entries ?? [],
      imagePrograms: { ...hostFacts.imagePrograms, etcd: "/usr/bin/etcd" },
      imageEtcdVersion: imageEtcd,
    },
  };
  const { steps, beforeFiles } = etcdSteps({ etcd: spec, features: featuresOf(version), observed, needs: ["etcd-image"] });
  return new Map([["files", beforeFiles], ...steps.map(({ id, needs }) => [id, needs] as const)]);
}

describe("etcd's data", () => {
  it.each<[string, string, Host]>([
    ["Kubernetes", "v1.21.0", {}],
    ["etcd", "v1.20.2", { imageEtcd: "3.5.26" }],
  ])("is copied before %s goes up a minor version: etcd stopped, no file written yet", (_, version, host) => {
    const steps = stepsFor(version, host);
    expect(steps.get("etcd-stop")).toEqual(["etcd-image"]);
    expect(steps.get("etcd-copy")).toEqual(["etcd-image", "etcd-stop"]);
    expect(steps.get("files")).toEqual(["etcd-copy"]);
    expect(steps.get("etcd-data")).toEqual(["files"]);
    expect(steps.get("etcd")).toEqual(["etcd-data", "etcd-image"]);
  });

  it("is copied where nothing runs, too", () => {
    const steps = stepsFor("v1.21.0", { containers: [] });
    expect(steps.has("etcd-stop")).toBe(false);
    expect(steps.get("files")).toEqual(["etcd-copy"]);
  });

  it.each<[string, string, Host]>([
    ["for a patch release", "v1.20.15", {}],
    ["where there is none", "v1.21.0", { etcdData: false, containers: [] }],
    ["for the same versions again", "v1.20.2", {}],
  ])("is not copied %s", (_, version, host) => {
    const steps = stepsFor(version, host);
    expect([...steps.keys()]).toEqual(["files", "etcd-data", "etcd"]);
    expect(steps.get("files")).toEqual([]);
  });

  it("of an interrupted upgrade keeps its copy until a run has worked", () => {
    const steps = stepsFor("v1.21.0", { accepted: "v1.21.0", entries: ["/var/lib/etcd/member-before-upgrade"] });
    expect(steps.has("etcd-stop")).toBe(false);
    expect(steps.get("files")).toEqual(["etcd-copy"]);
  });

  it.each<[string, Host, string[]]>([
    ["by the next run", {}, ["files", "etcd-data", "etcd", "etcd-scrap"]],
    ["by the next copy", { accepted: "v1.19.16" }, ["files", "etcd-stop", "etcd-copy", "etcd-data", "etcd"]],
  ])("leaves no copy that was cut off: it is removed %s", (_, host, ids) => {
    const entries = ["/var/lib/etcd/member", "/var/lib/etcd/member-before-upgrade.part"];
    expect([...stepsFor("v1.20.2", { ...host, entries }).keys()]).toEqual(ids);
  });
});
