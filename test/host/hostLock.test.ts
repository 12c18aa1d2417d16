import { describe, expect, it } from "vitest";
import { type AttachedContainer, type ContainerEngine, EngineError } from "../../src/docker/containerEngine.js";
import { type HostLock, lockLabels, takeLock } from "../../src/host/hostLock.js";
import type { ContainerDetails } from "../../src/model/dockerObjects.js";
import { lockName } from "../../src/model/hostLayout.js";
import type { ReportEvent } from "../../src/report/events.js";

interface FakeContainer {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  state: "created" | "running" | "exited" | "dead" | "removing";
  readonly onRemoved: (() => void)[];
}

/** Something that a contender waits for: a call that Docker has not yet done, or a pause. */
interface Pending {
  readonly who: string;
  readonly go: () => void;
}

/**
 * One name, as Docker keeps it: each call happens at once and whole, but when is for the test to say. With `unsafe` a
 * removal does not look whether the container runs.
 */
class FakeHost {
  readonly pending: Pending[] = [];
  readonly crashed = new Set<string>();
  container: FakeContainer | undefined;
  #ids = 0;

  constructor(readonly unsafe = false) {}

  make(state: FakeContainer["state"], labels: Readonly<Record<string, string>>): FakeContainer {
    this.container = { id: `id-${++this.#ids}`, labels, state, onRemoved: [] };
    return this.container;
  }

  /** Docker removes it by itself when its program ends. */
  remove(container: FakeContainer): void {
    if (this.container === container) this.container = undefined;
    for (const call of container.onRemoved) call();
  }

  /** Does `what` when it is this contender's turn. A crashed one gets no more answers. */
  async turn<T>(who: string, what: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        if (this.crashed.has(who)) return;
        try {
          resolve(what());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      this.pending.push({ who, go });
    });
  }

  async start(who: string, lock: HostLock): Promise<AttachedContainer> {
    const container = await this.turn(who, () => {
      if (this.container) {
        const { id } = this.container;
        throw new EngineError(409, `Conflict. The container name "/${lockName}" is already in use by container "${id}".`);
      }
      return this.make("created", { "io.tsdeploy.component": "helper", ...lockLabels(lock) });
    });
    for (const state of ["created", "running"] as const) {
      await this.turn(who, () => {
        if (this.container !== container) throw new EngineError(404, `No such container: ${container.id}`);
        container.state = state;
      });
    }
    return { id: container.id, stdin: process.stdout };
  }

  engine(who: string): ContainerEngine {
    const engine: Partial<ContainerEngine> = {
      endpoint: "unix:///fake.sock",
      inspectContainer: async () =>
        this.turn(who, () => (this.container ? ({ ...this.container } as unknown as ContainerDetails) : undefined)),
      removeContainer: async (id, { unlessRunning = false } = {}) =>
        this.turn(who, () => {
          const { container } = this;
          if (container?.id !== id) return;
          if (container.state === "running" && unlessRunning && !this.unsafe) {
            throw new EngineError(409, `You cannot remove a running container ${id}.`);
          }
          this.remove(container);
        }),
      waitUntilRemoved: async (id) =>
        new Promise((resolve) => {
          const done = (): void => {
            void this.turn(who, resolve);
          };
          if (this.container?.id === id) this.container.onRemoved.push(done);
          else done();
        }),
    };
    return engine as ContainerEngine;
  }
}

function lockOf(who: string, more: Partial<HostLock> = {}): HostLock {
  const signal = new AbortController().signal;
  return { command: "master", holder: who, wait: false, report: () => undefined, signal, ...more };
}

/** All microtasks that there are. */
const settle = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

interface Race {
  readonly names: readonly string[];
  readonly before?: FakeContainer["state"];
  readonly wait?: boolean;
  /** Who is killed at its so-maniest turn. */
  readonly killed?: { readonly who: string; readonly turn: number };
  readonly unsafe?: boolean;
}

interface Outcome {
  /** At most how many held it at once. */
  readonly together: number;
  readonly held: readonly string[];
  readonly refused: readonly string[];
  /** How many contenders could go on at each point where there was a choice. */
  readonly choices: readonly number[];
}

/**
 * Lets contenders run, one call at a time: the first turns as `schedule` says, the rest in turn. Who gets the lock
 * works for a few turns and ends.
 */
async function race(schedule: readonly number[], setting: Race): Promise<Outcome> {
  const { names, before, wait = false, killed, unsafe } = setting;
  const host = new FakeHost(unsafe);
  if (before) host.make(before, { "io.tsdeploy.component": "helper", ...lockLabels(lockOf("before")) });
  const holding = new Map<string, string>();
  const outcome = { together: 0, held: [] as string[], refused: [] as string[], choices: [] as number[] };
  let unfinished = names.length;
  for (const who of names) {
    const lock = lockOf(who, { wait });
    const pause = async (): Promise<void> => host.turn(who, () => undefined);
    takeLock(host.engine(who), lock, async () => host.start(who, lock), pause)
      .then(async ({ id }) => {
        holding.set(who, id);
        outcome.held.push(who);
        outcome.together = Math.max(outcome.together, holding.size);
        for (let work = 0; work < 4; work++) await host.turn(who, () => undefined);
        await host.turn(who, () => {
          holding.delete(who);
          if (host.container?.id === id) host.remove(host.container);
        });
      })
      .catch((error: unknown) => {
        expect(error).toMatchObject({ kind: "conflict", problems: [{ code: "HOST_LOCKED" }] });
        outcome.refused.push(who);
      })
      .finally(() => {
        unfinished -= 1;
      });
  }
  const turns = new Map<string, number>();
  for (let step = 0; step < 400; step++) {
    await settle();
    const { pending } = host;
    if (pending.length === 0) break;
    if (step < schedule.length) outcome.choices.push(pending.length);
    const [next] = pending.splice((schedule[step] ?? 0) % pending.length, 1);
    if (!next) break;
    turns.set(next.who, (turns.get(next.who) ?? 0) + 1);
    if (killed?.who === next.who && turns.get(next.who) === killed.turn) {
      host.crashed.add(next.who);
      unfinished -= 1;
      // Its connection breaks, and its helper ends with that.
      const id = holding.get(next.who);
      holding.delete(next.who);
      if (id !== undefined && host.container?.id === id) host.remove(host.container);
      continue;
    }
    next.go();
  }
  expect(unfinished).toBe(0);
  return outcome;
}

/** Every order of the first `depth` turns. */
async function everyOrder(depth: number, setting: Race, look: (outcome: Outcome) => void): Promise<number> {
  let races = 0;
  const schedule: number[] = Array<number>(depth).fill(0);
  for (;;) {
    const outcome = await race(schedule, setting);
    races += 1;
    look(outcome);
    let position = Math.min(depth, outcome.choices.length) - 1;
    while (position >= 0 && (schedule[position] ?? 0) + 1 >= (outcome.choices[position] ?? 0)) {
      schedule[position] = 0;
      position -= 1;
    }
    if (position < 0) return races;
    schedule[position] = (schedule[position] ?? 0) + 1;
  }
}

const names = ["one", "two"];
const states = [undefined, "created", "exited", "dead"] as const;

describe("the lock of a host", { timeout: 60_000 }, () => {
  it.each(states)("is held by one at a time, in whatever order two go about it (before: %s)", async (before) => {
    const setting = { names, ...(before && { before }) };
    const races = await everyOrder(10, setting, ({ together, held, refused }) => {
      expect(together).toBe(1);
      expect(held.length + refused.length).toBe(2);
    });
    expect(races).toBeGreaterThan(200);
  });

  it("is held by each of those who wait, one after the other", async () => {
    await everyOrder(7, { names: ["one", "two", "three"], wait: true }, ({ together, held, refused }) => {
      expect(together).toBe(1);
      expect([...held].sort()).toEqual(["one", "three", "two"]);
      expect(refused).toEqual([]);
    });
  });

  it.each([1, 2, 3, 4, 5])("is free again when its holder is killed at its call %d", async (turn) => {
    await everyOrder(9, { names, wait: true, killed: { who: "one", turn } }, ({ together, held }) => {
      expect(together).toBe(1);
      expect(held).toContain("two");
    });
  });

  it("would be held twice if a running container could be removed: these orders find it", async () => {
    let worst = 0;
    await everyOrder(12, { names, unsafe: true }, ({ together }) => {
      worst = Math.max(worst, together);
    });
    expect(worst).toBe(2);
  });
});

describe("a host that is held", () => {
  const holder: Readonly<Record<string, string>> = {
    ...lockLabels(lockOf("root@laptop", { command: "teardown" })),
    "io.tsdeploy.component": "helper",
  };
  const since = holder["io.tsdeploy.lock.since"] ?? "no label";

  /** Each call at once. */
  const run = async (host: FakeHost, lock: HostLock): Promise<AttachedContainer> => {
    const taken = takeLock(host.engine("me"), lock, async () => host.start("me", lock), async () => settle());
    taken.catch(() => undefined);
    for (let turns = 0; turns < 20; turns++) {
      await settle();
      host.pending.shift()?.go();
    }
    return taken;
  };

  it("is refused with who holds it, since when, and what to do", async () => {
    const host = new FakeHost();
    host.make("running", holder);
    const error: unknown = await run(host, lockOf("me")).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "conflict", problems: [{ code: "HOST_LOCKED" }] });
    for (const fact of ["unix:///fake.sock", "tsdeploy teardown", "root@laptop", since]) {
      expect(String(error)).toContain(fact);
    }
    expect(error).toHaveProperty("problems.0.hint", expect.stringContaining("--wait"));
  });

  it("is waited for with --wait, and who holds it is reported once", async () => {
    const host = new FakeHost();
    const other = host.make("running", holder);
    const events: ReportEvent[] = [];
    const lock = lockOf("me", {
      wait: true,
      report: (event) => {
        events.push(event);
        setImmediate(() => {
          host.remove(other);
        });
      },
    });
    const { id } = await run(host, lock);
    expect(host.container).toMatchObject({ id, state: "running" });
    expect(events).toEqual([{ kind: "notice", message: expect.stringContaining("root@laptop") as string }]);
  });

  it("is never waited for, nor freed, if the container of that name is not ours", async () => {
    const host = new FakeHost();
    const foreign = host.make("exited", {});
    await expect(run(host, lockOf("me", { wait: true }))).rejects.toThrow("not tsdeploy's");
    expect(host.container).toBe(foreign);
  });
});
