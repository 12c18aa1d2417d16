import { describe, expect, test } from "vitest";
import type { Pod } from "../../src/kubernetes/renderManifests.js";
import { type ExistingFile } from "../../src/model/hostFacts.js";
import { paths } from "../../src/model/hostLayout.js";
import { diffPlan, filesOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { everyMinor, masterInputOf } from "./fixtures.js";

interface Run {
  readonly version?: string;
  readonly timeoutMs: number;
  /** What an earlier run has left; undefined: a fresh host. */
  readonly on?: ReadonlyMap<string, ExistingFile>;
  readonly isUp?: boolean;
  readonly extraArgs?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

const minute = 60_000;

function planOf({ version = "v1.20.2", timeoutMs, on = new Map(), isUp = false, extraArgs = {} }: Run) {
  const input = masterInputOf({ version });
  return planMaster({
    ...input,
    options: { ...input.options, timeoutMs, extraArgs },
    observed: { ...input.observed, files: on },
    isUp,
  });
}

function manifestsOf(run: Run): ReadonlyMap<string, ExistingFile> {
  return new Map(
    filesOf(planOf(run))
      .filter(({ path }) => path.startsWith(paths.manifests))
      .map(({ path, content, mode }) => [path, { content, mode }]),
  );
}

function probesOf(run: Run, name = "apiserver") {
  const pods = [...manifestsOf(run).values()].map(({ content }) => JSON.parse(content) as Pod);
  const found = pods.flatMap(({ spec }) => spec.containers).find((container) => container.name === name);
  return found as unknown as Record<"livenessProbe" | "startupProbe", Record<string, number> | undefined>;
}

/** Seconds before the kubelet can kill a program that has not answered yet. */
function allowed(run: Run, name?: string): number {
  const { startupProbe, livenessProbe } = probesOf(run, name);
  const { failureThreshold = 0, periodSeconds = 0 } = startupProbe ?? {};
  return startupProbe ? failureThreshold * periodSeconds : (livenessProbe?.["initialDelaySeconds"] ?? 0);
}

/** Manifests that a second run would change, and with them restart. */
function restarted(first: Run, second: Run): string[] {
  const on = manifestsOf(first);
  const { changes } = diffPlan(planOf({ ...second, on }), { containers: [], files: on }, { overwrite: false });
  return changes.flatMap((change) =>
    change.kind === "file" && change.change === "change" ? [change.path.replace(/.*\//, "")] : [],
  );
}

describe("a program may take as long to start as the run waits", () => {
  test.each(everyMinor)("%s", (version) => {
    for (const name of ["apiserver", "controller-manager", "scheduler", "kube-proxy"]) {
      expect(allowed({ version, timeoutMs: 20 * minute }, name)).toBeGreaterThanOrEqual(20 * 60);
    }
  });

  test("and never less than kubeadm gives it", () => {
    expect(allowed({ timeoutMs: 10_000 })).toBe(240);
    expect(allowed({ version: "v1.17.17", timeoutMs: 10_000 })).toBe(240);
  });

  test("by a startup probe from v1.18 on, so that a hang later on is seen as soon as ever", () => {
    expect(probesOf({ version: "v1.17.17", timeoutMs: minute }).startupProbe).toBeUndefined();
    const { startupProbe, livenessProbe } = probesOf({ version: "v1.18.20", timeoutMs: 20 * minute });
    expect(startupProbe).toMatchObject({ httpGet: { path: "/healthz", port: 6443 }, failureThreshold: 120 });
    expect(livenessProbe).not.toHaveProperty("initialDelaySeconds");
    expect(livenessProbe).toMatchObject({ failureThreshold: 8, periodSeconds: 10 });
  });

  test("and what waits for the API server first may take as long once more", () => {
    expect(allowed({ timeoutMs: 20 * minute }, "scheduler")).toBe(2 * 20 * 60);
  });
});

describe("another --timeout on a control plane that runs", () => {
  test.each(["v1.17.17", "v1.20.2", "v1.36.2"])("restarts nothing of %s, be it longer or shorter", (version) => {
    const [short, long] = [{ version, timeoutMs: 5 * minute }, { version, timeoutMs: 20 * minute }];
    expect(restarted(short, { ...long, isUp: true })).toEqual([]);
    expect(restarted(long, { ...short, isUp: true })).toEqual([]);
    expect(restarted(long, short)).toEqual([]);
  });

  test("is followed by what is changed anyway", () => {
    const on = manifestsOf({ timeoutMs: 5 * minute });
    const changed = { timeoutMs: 20 * minute, on, isUp: true, extraArgs: { apiserver: { v: "3" } } };
    expect(allowed(changed)).toBe(20 * 60);
    expect(allowed(changed, "kube-proxy")).toBe(2 * 5 * 60);
  });

  test("that is shorter leaves what is changed anyway as much time as it had", () => {
    const on = manifestsOf({ timeoutMs: 20 * minute });
    expect(allowed({ timeoutMs: minute, on, isUp: true, extraArgs: { apiserver: { v: "3" } } })).toBe(20 * 60);
  });

  test("is not told beside a person's edit, and leaves it in force", () => {
    const edited = [...manifestsOf({ timeoutMs: 5 * minute })].map(
      ([path, file]) => [path, { ...file, content: file.content.replace("--allow-privileged=true", "--allow-privileged=false") }] as const,
    );
    const on = new Map(edited);
    const plan = planOf({ timeoutMs: 20 * minute, on, isUp: true });
    const { kept } = diffPlan(plan, { containers: [], files: on }, { overwrite: false });
    const told = kept.flatMap(({ lines }) => lines).filter((line) => /seconds|Threshold/i.test(line));
    expect(kept).not.toEqual([]);
    expect(told).toEqual([]);
  });
});

test("a longer --timeout reaches a control plane that has not come up", () => {
  const failed = { timeoutMs: 5 * minute };
  expect(restarted(failed, { timeoutMs: 20 * minute })).toContain("master-multi.json");
});

test("manifests of before there was such a time get one", () => {
  const path = `${paths.manifests}/master-multi.json`;
  const pod = JSON.parse(manifestsOf({ timeoutMs: minute }).get(path)?.content ?? "") as Pod;
  const { annotations, ...metadata } = pod.metadata;
  expect(annotations).toBeDefined();
  const on = new Map([[path, { mode: 0o600, content: JSON.stringify({ ...pod, metadata }) }]]);
  expect(allowed({ timeoutMs: 20 * minute, on, isUp: true })).toBe(20 * 60);
});
