import { beforeAll, describe, expect, it, vi } from "vitest";
import type * as HostApi from "../../src/deploy/hostApi.js";
import { messageOf, TsdeployError } from "../../src/model/errors.js";
import { labels, paths } from "../../src/model/hostLayout.js";
import type { ContainerSpec } from "../../src/model/containerSpec.js";
import type { Plan } from "../../src/model/plan.js";
import { filesOf } from "../../src/plan/diff.js";
import type { Call, FaultKind } from "./memory/faults.js";
import { kinds, type Kind } from "./memory/kinds.js";
import { differences, type MemoryHost, type Snapshot } from "./memory/memoryHost.js";
import { carryOut, type Outcome, type Scene, type TrialOptions } from "./memory/scene.js";

// The client that it makes speaks TLS to a server that there is not here.
vi.mock("../../src/deploy/hostApi.js", async (importOriginal) => {
  const { hostOfHelper } = await import("./memory/hostOfHelper.js");
  const apiByKubeconfig: typeof HostApi.apiByKubeconfig = (helper, files) =>
    Promise.resolve(files.has("/etc/kubernetes/kubelet.conf") ? hostOfHelper.get(helper)?.api : undefined);
  return { ...(await importOriginal<typeof HostApi>()), apiByKubeconfig };
});

/** Docker makes what is to be bound into a container, and keeps it: empty folders, which a teardown removes. */
const madeByDocker = [`folders ${paths.criRoot} is new`, `folders ${paths.kubeletRoot}/seccomp is new`];

/** What a first run that was killed and done again comes to beside one that was not. */
const afterKill = [
  // Only a first run makes a join token; a later one says how to get one.
  /^objects \S*\/secrets\/bootstrap-token-abcdef is gone/,
  /^objects \S*\/configmaps\/cluster-info was/,
  // Only a run that waits for the add-on manager has to know which revision that has read.
  /^files \/etc\/kubernetes\/addons\/revision is gone/,
];

const afterBack = [
  // The record of what was ever written forgets nothing.
  /^files \/etc\/kubernetes\/tsdeploy-files\.json was/,
  // The killed run has made it; the next one knows it as a folder that was there, and teardown as ours.
  /^folders \/etc\/kubernetes\/addons is new/,
  // Taking an add-on out of the folder makes another revision of that.
  /^files \/etc\/kubernetes\/addons\/revision (is new|was)/,
];

/** What is not as it should be, a line each, beginning with what had failed. */
function gaps(what: string, wanted: Snapshot, host: MemoryHost): string[] {
  const lines = differences(wanted, host.snapshot()).filter((line) => !madeByDocker.includes(line));
  return lines.map((line) => `${what}: ${line}`);
}

/** An answer that is lost differs from a refusal only where something is changed. */
function isChange({ what }: Call): boolean {
  return !/^(GET|inspect|list|etcd \S+ list|exec if|exec until|exec \[\[ ! -e)/.test(what);
}

/** Looks at containers beside a wait, which ends without them: their failure comes too late to matter. */
function isLook({ step, what }: Call): boolean {
  return step !== "files" && step !== "kubelet" && /^(inspect (etcd|kubelet|cri|proxy)|list )/.test(what);
}

/** Of the objects of RBAC, all of which are treated alike, those in namespaces will do. */
function isOneOfMany({ what }: Call): boolean {
  return what.includes("/clusterrole");
}

/** Of a component that is replaced in the same run, the last. */
function lastContainersOf({ steps }: Plan): ContainerSpec[] {
  const all = steps.flatMap(({ action }) => ("container" in action ? [action.container] : []));
  return [...new Map(all.map((spec) => [spec.component, spec])).values()];
}

function isTold({ warnings }: Outcome): boolean {
  return warnings.some((warning) => warning.startsWith("could not be tidied up"));
}

describe.each(Object.entries(kinds))("%s", (_name, make) => {
  let kind: Kind;
  let scene: Scene;
  let before: Snapshot;
  let after: Snapshot;
  let calls: readonly Call[];
  let done: MemoryHost;

  beforeAll(async () => {
    kind = await make();
    scene = await kind.plan(kind.host.copy());
    before = kind.host.snapshot();
    done = kind.host.copy();
    const outcome = await carryOut(scene, done);
    if (outcome.error !== undefined) throw new Error(messageOf(outcome.error), { cause: outcome.error });
    calls = outcome.calls.filter((call) => !isOneOfMany(call));
    after = done.snapshot();
  });

  async function fail(call: Call, how: FaultKind, options: TrialOptions = {}) {
    const host = kind.host.copy();
    host.faults.failAt(call, how);
    return { host, outcome: await carryOut(scene, host, { timeoutMs: 2_000, ...options }) };
  }

  /** Lets each of these calls fail once. What is removed at last is all that may be left, and is told. */
  async function failEach(failing: readonly Call[], how: FaultKind): Promise<string[]> {
    const found: string[] = [];
    for (const call of failing) {
      const { host, outcome } = await fail(call, how);
      const what = `${how} ${call.what} of ${call.step}`;
      if (outcome.error === undefined) {
        if (!isTold(outcome) && isChange(call)) found.push(`${what}: nobody heard of it`);
        if (!isTold(outcome)) found.push(...gaps(what, after, host));
      } else {
        if (outcome.error !== host.faults.error) found.push(`${what}: reported as ${messageOf(outcome.error)}`);
        found.push(...gaps(what, before, host));
      }
    }
    return found;
  }

  it("makes the host what the plan says", () => {
    const { plan } = scene;
    const running = [...done.state.containers.values()].filter(({ name }) => name.startsWith("kube_"));
    const specs = lastContainersOf(plan).map((spec) => `${spec.labels[labels.spec] ?? ""} running`);
    // Not every plan is about containers.
    if (specs.length > 0) {
      expect(running.map((one) => `${one.labels[labels.spec] ?? ""} ${one.state}`).sort()).toEqual(specs.sort());
    }
    const removed = plan.steps.flatMap(({ action }) => (action.kind === "remove-files" ? action.paths : []));
    for (const { path, mode, content, editable } of filesOf(plan)) {
      if (removed.includes(path)) expect(done.state.files.has(path)).toBe(false);
      else if (!editable || scene.overwrite) expect(done.state.files.get(path)).toMatchObject({ mode, content });
    }
  });

  it("changes nothing if done again", async () => {
    const host = done.copy();
    expect(await carryOut(await kind.plan(host.copy()), host)).toMatchObject({ error: undefined });
    expect(gaps("again", after, host)).toEqual([]);
  });

  it("leaves the host as it was, whichever call is refused", async () => {
    expect(await failEach(calls.filter((call) => !isLook(call)), "refused")).toEqual([]);
  });

  it("leaves the host as it was, whichever answer is lost", async () => {
    expect(await failEach(calls.filter(isChange), "lost")).toEqual([]);
  });

  it("leaves the host as it was, whichever step fails at its end or is stopped by a person", async () => {
    const found: string[] = [];
    for (const { id } of scene.plan.steps) {
      const failure = new TsdeployError("failed", { code: "INJECTED", message: id, hint: "Look." });
      const ended = kind.host.copy();
      const onEnd: TrialOptions["onEvent"] = (event) => {
        if (event.kind === "step-finished" && event.step === id) throw failure;
      };
      const atEnd = await carryOut(scene, ended, { onEvent: onEnd });
      if (atEnd.error !== failure) found.push(`end of ${id}: reported as ${messageOf(atEnd.error)}`);
      found.push(...gaps(`end of ${id}`, before, ended));

      const stopped = kind.host.copy();
      const controller = new AbortController();
      const { error } = await carryOut(scene, stopped, {
        signal: controller.signal,
        onEvent: (event) => {
          if (event.kind === "step-started" && event.step === id) controller.abort();
        },
      });
      if (!(error instanceof TsdeployError && error.kind === "aborted")) found.push(`stop in ${id}: ${messageOf(error)}`);
      found.push(...gaps(`stop in ${id}`, before, stopped));
    }
    expect(found).toEqual([]);
  });

  it("is completed by the same command after a run that was killed anywhere", async () => {
    const found: string[] = [];
    for (const call of calls.filter(isChange)) {
      const { host } = await fail(call, "refused", { keepOnFailure: true });
      const { error } = await carryOut(await kind.plan(host.copy()), host);
      const what = `killed before ${call.what} of ${call.step}`;
      if (error !== undefined) found.push(`${what}: ${messageOf(error)}`);
      const lines = gaps(what, after, host);
      found.push(...lines.filter((line) => !afterKill.some((known) => known.test(line.slice(what.length + 2)))));
    }
    expect(found).toEqual([]);
  });

  it("is taken back by the command before it after a run that was killed anywhere", async () => {
    const found: string[] = [];
    for (const call of kind.back ? calls.filter(isChange) : []) {
      const { host } = await fail(call, "refused", { keepOnFailure: true });
      const { error } = await carryOut(await (kind.back ?? kind.plan)(host.copy()), host);
      const what = `killed before ${call.what} of ${call.step}`;
      if (error !== undefined) found.push(`${what}: ${messageOf(error)}`);
      const lines = gaps(what, before, host);
      found.push(...lines.filter((line) => !afterBack.some((known) => known.test(line.slice(what.length + 2)))));
    }
    expect(found).toEqual([]);
  });
});
