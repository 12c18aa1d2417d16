import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { ObservedHost } from "../../src/model/hostFacts.js";
import { paths } from "../../src/model/hostLayout.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { runPreflight } from "../../src/preflight/runPreflight.js";
import { modernEngines } from "../host/engines.js";
import { masterInputOf, observed } from "./fixtures.js";

describe.each(Object.entries(modernEngines))("on cgroup v2 with %s", (_name, engine) => {
  const host: ObservedHost = { ...observed, engine, host: { ...observed.host, cgroupVersion: "2" } };
  const plan = planMaster(masterInputOf({ version: "v1.36.2", observed: host }));
  const content = filesOf(plan).find(({ path }) => path === paths.kubeletConfig)?.content ?? "";

  test("a current Kubernetes is welcome, and one without cgroup v2 is not", () => {
    const codes = (version: string): string[] =>
      runPreflight("engine", engine, { role: "master", version }).errors.map(({ code }) => code);
    expect(codes("v1.36.2")).toEqual([]);
    expect(codes("v1.18.20")).toContain("CGROUP_VERSION");
  });

  test("the kubelet has Docker's cgroup driver and need not be asked to take cgroup v1", () => {
    const configuration = parse(content) as Record<string, unknown>;
    expect(configuration["cgroupDriver"]).toBe("systemd");
    expect(configuration).not.toHaveProperty("failCgroupV1");
  });

  test("what looks into cgroups is in the host's namespace, where Docker would give it one of its own", () => {
    for (const { component, privileged, hostCgroupNamespace } of containersOf(plan)) {
      expect(hostCgroupNamespace, component).toBe(privileged);
    }
    const kubelet = containersOf(plan).find(({ component }) => component === "kubelet");
    expect(kubelet?.binds).toContainEqual({ source: "/sys", target: "/sys" });
    expect(kubelet?.binds).toContainEqual({ source: "/var/lib/docker", target: "/var/lib/docker" });
  });
});
