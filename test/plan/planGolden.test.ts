import { expect, test } from "vitest";
import { describePlan } from "../../src/plan/describePlan.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { paths } from "../../src/plan/names.js";
import type { Plan } from "../../src/plan/plan.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { masterInput, secretText, workerInput } from "./fixtures.js";

/** The whole plan; files without a life of their own here (scripts, PKI) by path and mode. */
function golden(plan: Plan): string {
  return `${JSON.stringify(
    plan,
    (key, value: unknown) => {
      if (key !== "files") return value;
      return (value as ReturnType<typeof filesOf>).map(({ path, mode, content, secret, ...more }) => ({
        path,
        mode: mode.toString(8).padStart(4, "0"),
        secret,
        ...more,
        ...(/\.(json|conflist)$/.test(path) && { content: JSON.parse(content) as unknown }),
        ...(path.endsWith(".yaml") && { content: content.trimEnd().split("\n") }),
      }));
    },
    2,
  )}\n`;
}

test("the master's plan for v1.20.2 is as reviewed", async () => {
  await expect(golden(planMaster(masterInput))).toMatchFileSnapshot("golden/master-v1.20.2.json");
});

test("the worker's plan for v1.20.2 is as reviewed", async () => {
  await expect(golden(planWorker(workerInput))).toMatchFileSnapshot("golden/worker-v1.20.2.json");
});

test.each([planMaster(masterInput), planWorker(workerInput)])("--dry-run tells all of the $role and no secret", (plan) => {
  const { text, data } = describePlan(plan);
  for (const { path } of filesOf(plan)) expect(text).toContain(path);
  for (const { command, binds } of containersOf(plan)) {
    for (const word of command) expect(text).toContain(word);
    for (const { source, target } of binds) expect(text).toContain(`${source}:${target}`);
  }
  expect(text).toContain("secret, not shown");
  expect(text).not.toContain(secretText);
  expect(JSON.stringify(data)).not.toContain(secretText);
});

test("the same input gives the same plan", () => {
  expect(planMaster(masterInput)).toEqual(planMaster(structuredClone(masterInput)));
});

test("a pod that other options had rendered goes, unless somebody has made it his own", () => {
  const path = `${paths.manifests}/node-ipam.json`;
  const rendered = filesOf(planMaster(masterInput)).find((file) => file.path === path)?.content ?? "";
  const removed = (content: string): unknown => {
    const { steps } = planMaster({
      ...masterInput,
      options: { ...masterInput.options, extraArgs: { "controller-manager": { controllers: "*" } } },
      observed: { ...masterInput.observed, files: new Map([[path, { mode: 0o600, content }]]) },
    });
    return steps.flatMap(({ action }) => (action.kind === "remove-files" ? action.paths : []));
  };
  expect(removed(rendered)).toEqual([path]);
  expect(removed(rendered.replace('"hostNetwork": true', '"hostNetwork": false'))).toEqual([]);
});
