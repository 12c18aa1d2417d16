import { expect, test } from "vitest";
import { supportedMinors } from "../../src/kubernetes/versions.js";
import { paths } from "../../src/model/hostLayout.js";
import { describePlan } from "../../src/plan/describePlan.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { lineDifference } from "../../src/plan/lineDifference.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { everyMinor, masterInput, masterInputOf, secretText, workerInput, workerInputOf } from "./fixtures.js";
import { planLines } from "./planLines.js";

const plans = {
  master: (version: string, config = {}) => planMaster(masterInputOf({ version, config })),
  worker: (version: string, config = {}) => planWorker(workerInputOf({ version, config })),
};
const roles = ["master", "worker"] as const;
const oldest = everyMinor[0] ?? "";
const newest = everyMinor.at(-1) ?? "";

test("there is a version of every minor", () => {
  expect(everyMinor.map((version) => version.replace(/\.\d+$/, ""))).toEqual(supportedMinors());
});

test.each(roles.flatMap((role) => [oldest, newest].map((version) => [role, version] as const)))(
  "the %s's whole plan for %s is as reviewed",
  async (role, version) => {
    await expect(textOf(planLines(plans[role](version)))).toMatchFileSnapshot(`golden/${role}-${version}.txt`);
  },
);

test.each(roles)("the %s's plan changes from one minor to the next as reviewed", async (role) => {
  const changes = everyMinor.slice(1).flatMap((version, index) => {
    const before = planLines(plans[role](everyMinor[index] ?? ""));
    return ["", `${everyMinor[index] ?? ""} -> ${version}`, ...sortedDifference(before, planLines(plans[role](version)))];
  });
  await expect(textOf(changes)).toMatchFileSnapshot(`golden/${role}-changes.txt`);
});

test.each(roles)("the %s's plan changes with --insecure-api as reviewed", async (role) => {
  const changes = ["v1.3.6", "v1.5.8", "v1.18.20"].flatMap((version) => {
    const open = planLines(plans[role](version, { insecureApi: true }));
    return ["", `${version} --insecure-api`, ...sortedDifference(planLines(plans[role](version)), open)];
  });
  await expect(textOf(changes)).toMatchFileSnapshot(`golden/${role}-insecure.txt`);
});

test.each(roles)("the %s's plan changes with the network flannel as reviewed", async (role) => {
  const changes = ["v1.3.6", "v1.20.2", "v1.36.2"].flatMap((version) => {
    const flannel = planLines(plans[role](version, { network: "flannel" }));
    return ["", `${version} --network flannel`, ...sortedDifference(planLines(plans[role](version)), flannel)];
  });
  await expect(textOf(changes)).toMatchFileSnapshot(`golden/${role}-flannel.txt`);
});

test.each(roles)("the %s's plan changes with two address families as reviewed", async (role) => {
  const dual = {
    podCidr: ["10.244.0.0/16", "fd00:10:244::/56"],
    serviceCidr: ["10.96.0.0/16", "fd00:10:96::/112"],
  } as const;
  const changes = ["v1.20.2", "v1.23.17", "v1.36.2"].flatMap((version) =>
    (["bridge", "flannel"] as const).flatMap((network) => {
      const before = planLines(plans[role](version, { network }));
      const after = planLines(plans[role](version, { network, ...dual }));
      return ["", `${version} --network ${network}, two families`, ...sortedDifference(before, after)];
    }),
  );
  await expect(textOf(changes)).toMatchFileSnapshot(`golden/${role}-dual-stack.txt`);
});

test.each(roles)("the %s's plan changes with a control-plane endpoint as reviewed", async (role) => {
  const endpoint = { controlPlaneEndpoint: "k8s.example.com:8443" };
  const changes = ["v1.3.6", "v1.20.2", "v1.36.2"].flatMap((version) => {
    const before = planLines(plans[role](version));
    return ["", `${version} --control-plane-endpoint`, ...sortedDifference(before, planLines(plans[role](version, endpoint)))];
  });
  await expect(textOf(changes)).toMatchFileSnapshot(`golden/${role}-endpoint.txt`);
});

/** What is gone and what is new; only the order of the lines is not told. */
function sortedDifference(before: readonly string[], after: readonly string[]): string[] {
  return lineDifference([...before].sort(), [...after].sort());
}

function textOf(lines: readonly string[]): string {
  return `${lines.join("\n").trim()}\n`;
}

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
