import { describe, expect, test } from "vitest";
import { ContainerWatch } from "../../src/apply/containerWatch.js";
import { waitInVain } from "../../src/apply/waitInVain.js";
import type { ContainerEnd } from "../../src/model/dockerObjects.js";
import { container } from "../host/fixtures.js";
import { byItself, byProbe, life, type Moment, type ScriptedEngine, scriptedEngine } from "./scriptedEngine.js";

/** Watches through all moments. @returns the error that gives the run up */
async function watch(engine: ScriptedEngine, { ids = [] as string[], waits = 1 } = {}) {
  const watched = new ContainerWatch(engine, ids, 0);
  const waiting = Array.from({ length: waits }, () => watched.refuseCrashLoop(engine.over));
  const error = await Promise.all(waiting).then(
    () => undefined,
    (thrown: unknown) => thrown as Error,
  );
  return { error, watched };
}

const sandbox = life("sandbox", { name: "POD" });

/** A pod whose API server starts anew each time that it ends; a kubelet keeps the last one that has ended. */
function lives(...ends: readonly ContainerEnd[]): Moment[][] {
  return [
    [sandbox, life("0")],
    ...ends.map((end, index) => [sandbox, life(String(index), { end })]),
    [sandbox, life("last")],
  ];
}

describe("what ends by itself again and again gives the run up", () => {
  test("a container of ours that Docker restarts", async () => {
    const etcd = (restartCount: number): Moment[] => [{ container: container("etcd", {}), restartCount }];
    const { error } = await watch(scriptedEngine([0, 1, 2, 3].map(etcd)), { ids: ["etcd"] });
    expect(error?.message).toContain("CRASH_LOOP: etcd ends again and again, last with status 2");
    expect(error?.message).toContain("log of etcd");
    expect((await watch(scriptedEngine([0, 1, 2].map(etcd)), { ids: ["etcd"] })).error).toBeUndefined();
  });

  test("a container of a static pod, at its third end", async () => {
    const { error } = await watch(scriptedEngine(lives(byItself(), byItself(), byItself(255))));
    expect(error?.message).toContain("CRASH_LOOP: apiserver ends again and again, last with status 255");
    expect(error?.message).toContain("log of 2");
    expect((await watch(scriptedEngine(lives(byItself(), byItself())))).error).toBeUndefined();
  });

  test("one end counts once, however many waits look at it", async () => {
    expect((await watch(scriptedEngine(lives(byItself(), byItself())), { waits: 4 })).error).toBeUndefined();
  });

  test("two programs that end twice each are no loop", async () => {
    const both = [0, 1].map((index) => [
      sandbox,
      life(`a${index}`, { end: byItself() }),
      life(`s${index}`, { name: "scheduler", end: byItself() }),
    ]);
    expect((await watch(scriptedEngine([[sandbox], ...both]))).error).toBeUndefined();
  });
});

describe("what the kubelet kills is waited for", () => {
  test.each([
    ["before it hears signals", 137, [15, 9]],
    ["before it serves", 255, [15]],
    ["when it serves already", 0, [15]],
    ["while it waits for etcd", 143, [15]],
  ])("%s: it ends with status %d", async (_when, exitCode, signals) => {
    const ends = Array.from({ length: 6 }, () => byProbe(exitCode, ...signals));
    const { error, watched } = await watch(scriptedEngine(lives(...ends)));
    expect(error).toBeUndefined();
    expect(await watched.probeKills()).toMatchObject([{ name: "apiserver", times: 6, ranSeconds: 107 }]);
  });

  test("and does not count when it then ends by itself", async () => {
    const ends = [byItself(), byProbe(137, 15, 9), byItself(), byProbe(137, 15, 9)];
    expect((await watch(scriptedEngine(lives(...ends)))).error).toBeUndefined();
    expect((await watch(scriptedEngine(lives(...ends, byItself())))).error?.message).toContain("CRASH_LOOP");
  });

  test("but for a pod that made room for one of another manifest no probe is to blame", async () => {
    const { error, watched } = await watch(
      scriptedEngine([
        [sandbox, life("old")],
        [life("sandbox", { name: "POD", state: "exited" }), life("old", { end: byProbe(0, 15) })],
        [life("new sandbox", { name: "POD", pod: "changed" }), life("new", { pod: "changed" })],
      ]),
    );
    expect(error).toBeUndefined();
    expect(await watched.probeKills()).toEqual([]);
  });
});

describe("nothing is given up for", () => {
  test("a slow machine, where nothing ends", async () => {
    expect((await watch(scriptedEngine(Array.from({ length: 20 }, () => [sandbox, life("0")])))).error).toBeUndefined();
  });

  test("what an earlier run left, and one end more", async () => {
    const old = ["x", "y", "z"].map((id) => life(id, { end: byItself() }));
    const { error } = await watch(scriptedEngine([[sandbox, ...old], [sandbox, ...old, life("0", { end: byItself() })]]));
    expect(error).toBeUndefined();
  });

  test("containers that are gone before Docker can say how they ended", async () => {
    const gone = Array.from({ length: 9 }, (_, index) => [sandbox, life(String(index), { state: "exited" })]);
    expect((await watch(scriptedEngine([[sandbox], ...gone]))).error).toBeUndefined();
  });

  test("pods of the cluster's users in kube-system, whatever they do", async () => {
    const moments = lives(byItself(), byItself(), byItself(), byItself()).map((moment) =>
      moment.map((one) => {
        const uid = { "io.kubernetes.pod.uid": "3c6f0b5e-1d3b-4f0e-9a58-3f1d9c6b7a10" };
        return { ...one, container: { ...one.container, labels: { ...one.container.labels, ...uid } } };
      }),
    );
    expect((await watch(scriptedEngine(moments))).error).toBeUndefined();
  });
});

describe("a wait in vain says what was the matter", () => {
  const errorOf = async (...ends: readonly ContainerEnd[]) => {
    const engine = scriptedEngine(lives(...ends));
    const { watched } = await watch(engine);
    return waitInVain({ phase: "control plane", seen: "no answer", timeoutMs: 120_000 }, engine, watched);
  };

  test("still starting: it may only be slow", async () => {
    const [problem] = (await errorOf()).problems;
    expect(problem).toMatchObject({ code: "WAIT_TIMEOUT", message: "control plane: not there after 120 s; last seen: no answer" });
    expect(problem?.hint).toContain("--timeout 4m");
  });

  test("killed by its probe: how often, after what time, and that --timeout gives it longer", async () => {
    const [problem] = (await errorOf(byProbe(255, 15), byProbe(137, 15, 9))).problems;
    expect(problem?.code).toBe("KILLED_BY_PROBE");
    expect(problem?.message).toContain("apiserver was killed 2 times, as the kubelet does when a probe fails");
    expect(problem?.message).toContain("the last time after 107 s");
    expect(problem?.hint).toContain("--timeout 4m: its probe then waits as long");
  });

  test("with the last words of what does not run", async () => {
    const engine = scriptedEngine([[sandbox, life("0", { end: byItself() })]]);
    const [problem] = (
      await waitInVain({ phase: "node", seen: "x", timeoutMs: 1_000 }, engine, new ContainerWatch(engine, []))
    ).problems;
    expect(problem?.message).toContain("log of 0");
    expect(problem?.hint).toContain("--timeout 1m");
  });
});
