import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type ContainerEngine, EngineError } from "../../src/docker/containerEngine.js";
import { patientEngine } from "../../src/docker/patientEngine.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { ReportEvent } from "../../src/report/events.js";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const endpoint = "unix:///fake.sock";
const never = async (): Promise<never> => new Promise(() => undefined);
const away = async (): Promise<never> =>
  Promise.reject(new TsdeployError("unreachable", { code: "DOCKER_UNREACHABLE", message: "nothing listens there", hint: "Look." }));
const info = async (): Promise<never> => Promise.resolve({} as never);

function patient(inner: Partial<ContainerEngine>, timeoutMs = 60_000) {
  const stop = new AbortController();
  const events: ReportEvent[] = [];
  const engine = patientEngine({ endpoint, info, ...inner } as ContainerEngine, {
    signal: stop.signal,
    timeoutMs,
    report: (event) => events.push(event),
  });
  return { engine, stop, events };
}

/** How a call stands after that time: its error's code, its answer, or `pending`. */
async function after(ms: number, call: Promise<unknown>): Promise<unknown> {
  let state: unknown = "pending";
  call.then(
    (answer) => (state = answer),
    (error: unknown) => (state = error instanceof TsdeployError ? error.problems[0]?.code : error),
  );
  await vi.advanceTimersByTimeAsync(ms);
  return state;
}

describe("a daemon that hangs", () => {
  it("is told by the call that it has not answered, and is then waited for less long", async () => {
    const { engine } = patient({ inspectContainer: never, listContainers: never, info: never });
    const call = engine.inspectContainer("kube_etcd_x");
    expect(await after(59_000, call)).toBe("pending");
    expect(await after(1_000, call)).toBe("DOCKER_HUNG");
    await expect(call).rejects.toThrow(/fake\.sock has not answered within 1 min 0 s: `docker inspect kube_etcd_x`/);
    expect(await after(10_000, engine.listContainers())).toBe("DOCKER_HUNG");
  });

  it("has a stop's grace period on top", async () => {
    const { engine } = patient({ stopContainer: never });
    const call = engine.stopContainer("x", 30);
    expect(await after(89_000, call)).toBe("pending");
    expect(await after(1_000, call)).toBe("DOCKER_HUNG");
  });

  it("is told from a program that takes long: that is waited for as long as cheap requests are answered", async () => {
    let isHung = false;
    const { engine } = patient({ exec: never, info: async () => (isHung ? never() : info()) });
    const call = engine.exec("x", ["cp"], { isLong: true });
    expect(await after(600_000, call)).toBe("pending");
    isHung = true;
    expect(await after(60_000 + 10_000, call)).toBe("DOCKER_HUNG");
  });

  it("does not keep Ctrl-C from ending what looks, at once, and what changes, a little later", async () => {
    const { engine, stop } = patient({ listContainers: never, createContainer: never, waitUntilRemoved: never });
    const [look, wait, change] = [engine.listContainers(), engine.waitUntilRemoved("x"), engine.createContainer("x", {} as never)];
    for (const call of [look, wait, change]) call.catch(() => undefined);
    expect(await after(1_000, look)).toBe("pending");
    stop.abort();
    expect(await after(0, look)).toBe("ABORTED");
    expect(await after(0, wait)).toBe("ABORTED");
    expect(await after(9_000, change)).toBe("pending");
    expect(await after(1_000, change)).toBe("ABORTED");
  });

  it("is forgotten when it answers, even with a refusal", async () => {
    let isHung = true;
    const refusal = new EngineError(409, "no");
    const { engine } = patient({
      removeContainer: async () => (isHung ? never() : Promise.reject(refusal)),
      info: async () => (isHung ? never() : info()),
      listContainers: never,
    });
    expect(await after(60_000, engine.removeContainer("x"))).toBe("DOCKER_HUNG");
    isHung = false;
    expect(await after(0, engine.removeContainer("x"))).toBe(refusal);
    const call = engine.listContainers();
    expect(await after(59_000, call)).toBe("pending");
    expect(await after(1_000, call)).toBe("DOCKER_HUNG");
  });
});

describe("after Ctrl-C", () => {
  it("a call of the same moment is ended by it, and clean-up does not wait long for a daemon that hangs", async () => {
    const { engine, stop } = patient({ listContainers: never, stopContainer: never, info: never });
    const call = engine.listContainers();
    stop.abort();
    expect(await after(0, call)).toBe("ABORTED");
    expect(await after(10_000, engine.stopContainer("x", 30))).toBe("DOCKER_HUNG");
  });

  it("nothing is changed any more by a call that was still waiting for a sign of life", async () => {
    let live: (info: never) => void = () => undefined;
    const createContainer = vi.fn(never);
    const slowInfo = async (): Promise<never> => new Promise((resolve) => (live = resolve));
    const { engine, stop } = patient({ listContainers: never, info: slowInfo, createContainer });
    expect(await after(60_000, engine.listContainers())).toBe("DOCKER_HUNG");
    const change = engine.createContainer("x", {} as never);
    await after(0, change);
    stop.abort();
    live({} as never);
    expect(await after(0, change)).toBe("ABORTED");
    expect(createContainer).not.toHaveBeenCalled();
  });

  it("a slow daemon has as much of the run's own patience as one answer of a wait", async () => {
    const tenMinutes = 600_000;
    const slow = async (): Promise<never> => new Promise((resolve) => setTimeout(resolve, 40_000, {} as never));
    const inner = { createContainer: slow, listContainers: slow, info: slow, stopContainer: slow };
    const { engine, stop } = patient(inner, tenMinutes);
    const [change, look] = [engine.createContainer("x", {} as never), engine.listContainers()];
    for (const call of [change, look]) call.catch(() => undefined);
    await after(0, change);
    stop.abort();
    expect(await after(0, look)).toBe("ABORTED");
    const undo = engine.stopContainer("x", 30);
    undo.catch(() => undefined);
    expect(await after(40_000, change)).toEqual({});
    expect(await after(40_000, undo)).toEqual({});
  });

  it("a change that is answered is not taken for ended, and clean-up goes on", async () => {
    let answer: (id: string) => void = () => undefined;
    const removeContainer = vi.fn(async () => Promise.resolve());
    const createContainer = async (): Promise<string> => new Promise((resolve) => (answer = resolve));
    const { engine, stop } = patient({ createContainer, removeContainer });
    const call = engine.createContainer("x", {} as never);
    await after(0, call);
    stop.abort();
    answer("id");
    expect(await after(0, call)).toBe("id");
    await engine.removeContainer("id");
    expect(removeContainer).toHaveBeenCalledOnce();
  });
});

describe("a daemon that is restarted", () => {
  /** Away until it is brought back, by each call that there is. */
  function restarting(inner: Partial<ContainerEngine> = {}) {
    const state = { isAway: true, created: undefined as string | undefined, creations: 0, execs: 0 };
    const unlessAway = async <T>(answer: T): Promise<T> => (state.isAway ? away() : Promise.resolve(answer));
    const made = patient({
      info: async () => unlessAway({} as never),
      startContainer: async () => unlessAway(undefined),
      inspectContainer: async () => unlessAway(state.created ? ({ id: state.created } as never) : undefined),
      createContainer: async () => {
        state.creations += 1;
        return unlessAway("new");
      },
      exec: async () => {
        state.execs += 1;
        return away();
      },
      ...inner,
    });
    return { ...made, state };
  }

  it("is waited for; what can be done twice is done again, and the wait is reported once", async () => {
    const { engine, events, state } = restarting();
    const calls = Promise.all([engine.startContainer("x"), engine.inspectContainer("x")]);
    expect(await after(20_000, calls)).toBe("pending");
    state.isAway = false;
    expect(await after(2_000, calls)).toEqual([undefined, undefined]);
    expect(events).toEqual([{ kind: "notice", message: `Docker at ${endpoint} does not answer; waiting for it` }]);
  });

  it.each([
    { created: "old", id: "old", creations: 1 },
    { created: undefined, id: "new", creations: 2 },
  ])("has a container created once (created before it went: $created)", async ({ created, id, creations }) => {
    const { engine, state } = restarting();
    const call = engine.createContainer("kube_etcd_x", {} as never);
    await after(1_000, call);
    Object.assign(state, { isAway: false, created });
    expect(await after(2_000, call)).toBe(id);
    expect(state.creations).toBe(creations);
  });

  it("has nothing executed twice", async () => {
    const { engine, state } = restarting();
    expect(await after(0, engine.exec("x", ["true"]))).toBe("DOCKER_UNREACHABLE");
    expect(state.execs).toBe(1);
  });

  it("is waited for no longer than any call, and then by no other call", async () => {
    const { engine } = restarting();
    expect(await after(63_000, engine.info())).toBe("DOCKER_UNREACHABLE");
    expect(await after(0, engine.startContainer("x"))).toBe("DOCKER_UNREACHABLE");
  });

  it("is waited for until Ctrl-C", async () => {
    const { engine, stop } = restarting();
    const call = engine.info();
    expect(await after(5_000, call)).toBe("pending");
    stop.abort();
    expect(await after(0, call)).toBe("ABORTED");
  });

  it("is waited for by the clean-up, too, when Ctrl-C came while it went away", async () => {
    const { engine, stop, state } = restarting({ listContainers: never });
    const look = engine.listContainers();
    await after(0, look);
    stop.abort();
    expect(await after(0, look)).toBe("ABORTED");
    const undo = engine.startContainer("x");
    expect(await after(20_000, undo)).toBe("pending");
    state.isAway = false;
    expect(await after(2_000, undo)).toBeUndefined();
  });

  it("has brought back first what ended with it", async () => {
    const { engine, state } = restarting();
    const order: string[] = [];
    engine.outages?.onReturn(async (direct) => {
      await direct.startContainer("helper");
      order.push("helper");
    });
    const call = engine.startContainer("x").then(() => order.push("x"));
    await after(1_000, call);
    state.isAway = false;
    await after(2_000, call);
    expect(order).toEqual(["helper", "x"]);
  });

  it("is not touched any more when the host is another run's by then", async () => {
    const { engine, state } = restarting();
    const locked = new TsdeployError("conflict", { code: "HOST_LOCKED", message: "somebody else's", hint: "Look." });
    engine.outages?.onReturn(async () => Promise.reject(locked));
    const call = engine.startContainer("x");
    await after(1_000, call);
    state.isAway = false;
    expect(await after(2_000, call)).toBe("HOST_LOCKED");
    expect(await after(0, engine.startContainer("y"))).toBe("HOST_LOCKED");
  });
});

describe("an engine that is closed", () => {
  it("is not waited for by a call that the end of the run cuts off", async () => {
    let cut: (error: unknown) => void = () => undefined;
    const stopContainer = async (): Promise<never> => new Promise((_, reject) => (cut = reject));
    const { engine, events } = patient({ stopContainer, close: () => Promise.resolve() });
    const call = engine.stopContainer("x", 10);
    await engine.close();
    cut(new TsdeployError("unreachable", { code: "DOCKER_UNREACHABLE", message: "the connection was closed", hint: "Look." }));
    expect(await after(1_000, call)).toBe("DOCKER_UNREACHABLE");
    expect(events).toEqual([]);
  });

  it("is closed even if its connection does not end", async () => {
    const { engine } = patient({ close: never });
    expect(await after(5_000, engine.close())).toBeUndefined();
  });
});
