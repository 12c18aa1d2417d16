import { expect, test } from "vitest";
import type { ObservedHost } from "../../src/model/hostFacts.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { runPreflight } from "../../src/preflight/runPreflight.js";
import { masterInput, observed } from "./fixtures.js";

function planOn(securityOptions: readonly string[]) {
  const info = { ...observed.engine.info, securityOptions };
  const host: ObservedHost = { ...observed, engine: { ...observed.engine, info } };
  const plan = planMaster({ ...masterInput, observed: host });
  const pods = filesOf(plan)
    .filter(({ path }) => path.includes("/manifests-multi/"))
    .map(({ content }) => JSON.parse(content) as { readonly spec: { readonly securityContext?: unknown } });
  return { containers: containersOf(plan), pods, warnings: runPreflight("engine", host.engine, { role: "master" }).warnings };
}

test("with SELinux nothing of ours that uses the host's files is confined, and a person is told", () => {
  const { containers, pods, warnings } = planOn(["name=seccomp,profile=builtin", "name=selinux"]);
  // Docker does not confine privileged ones.
  for (const { component, privileged, unlabelled } of containers) {
    expect(privileged || unlabelled === true, component).toBe(true);
  }
  expect(pods).not.toEqual([]);
  for (const { spec } of pods) expect(spec.securityContext).toEqual({ seLinuxOptions: { type: "spc_t" } });
  expect(warnings).toEqual([expect.stringContaining("SELinux")]);
});

test("without it nothing is said of it", () => {
  const { containers, pods, warnings } = planOn(["name=apparmor", "name=seccomp,profile=builtin"]);
  for (const spec of containers) expect(spec).not.toHaveProperty("unlabelled");
  for (const { spec } of pods) expect(spec).not.toHaveProperty("securityContext");
  expect(warnings).toEqual([]);
});
