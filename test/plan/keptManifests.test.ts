import { expect, test } from "vitest";
import { TsdeployError } from "../../src/model/errors.js";
import { labels, paths } from "../../src/model/hostLayout.js";
import type { Plan } from "../../src/model/plan.js";
import { filesOf, type Present } from "../../src/plan/diff.js";
import { refuseKeptManifests } from "../../src/plan/keptManifests.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { masterInput, masterOptions, observed } from "./fixtures.js";

const manifest = `${paths.manifests}/master-multi.json`;
const plan = planMaster(masterInput);

function containerOf(version: string, state: string): Present["containers"][number] {
  return { state, labels: { [labels.version]: version } } as unknown as Present["containers"][number];
}

/** A host that runs this version by these files, of which one was edited. */
function hostOf(version: string, edited?: string): Present {
  const containers = [containerOf(version, "running")];
  const text = (path: string, content: string): string => (path === edited ? content.replace("cpu", "memory") : content);
  const files = filesOf(plan).map(({ path, content, mode }) => [path, { content: text(path, content), mode }] as const);
  return { containers, files: new Map(files) };
}

function refusals(wanted: Plan, present: Present, overwrite = false): string[] {
  try {
    refuseKeptManifests(wanted, present, overwrite);
    return [];
  } catch (error) {
    if (!(error instanceof TsdeployError)) throw error;
    return error.problems.map(({ code, message }) => `${code} ${message.split(" ")[0] ?? ""}`);
  }
}

test("an edited manifest is no bar to anything but another version of Kubernetes", () => {
  expect(refusals(plan, hostOf("v1.20.2", manifest))).toEqual([]);
  expect(refusals(plan, hostOf("v1.19.16"))).toEqual([]);
  expect(refusals(plan, hostOf("v1.19.16", manifest))).toEqual([`MANIFEST_EDITED ${manifest}`]);
  expect(refusals(plan, hostOf("v1.19.16", manifest), true)).toEqual([]);
});

test("an edited manifest is no bar where only what has stopped is of another version, unless nothing runs", () => {
  const host = hostOf("v1.20.2", manifest);
  const left = containerOf("v1.19.16", "exited");
  expect(refusals(plan, { ...host, containers: [left, ...host.containers] })).toEqual([]);
  expect(refusals(plan, { ...host, containers: [left] })).toEqual([`MANIFEST_EDITED ${manifest}`]);
  const failing = containerOf("v1.19.16", "restarting");
  expect(refusals(plan, { ...host, containers: [failing] })).toEqual([`MANIFEST_EDITED ${manifest}`]);
});

test("a manifest of one's own, beside ours, is no bar", () => {
  const own = { content: '{"kind":"Pod","metadata":{"name":"own"}}', mode: 0o600 };
  const host = hostOf("v1.19.16");
  expect(refusals(plan, { ...host, files: new Map(host.files).set(`${paths.manifests}/own.json`, own) })).toEqual([]);
});

test.each([true, false])("a manifest that is no more rendered, and was edited, goes by --overwrite alone: %s", (overwrite) => {
  const path = `${paths.manifests}/node-ipam.json`;
  const files = new Map([[path, { content: "{}", mode: 0o600 }]]);
  const options = { ...masterOptions, overwrite, extraArgs: { "controller-manager": { controllers: "*" } } };
  const { steps } = planMaster({ ...masterInput, observed: { ...observed, files }, options });
  const removed = steps.flatMap(({ action }) => (action.kind === "remove-files" ? action.paths : []));
  expect(removed.includes(path)).toBe(overwrite);
});
