import { once } from "node:events";
import { PassThrough } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, it } from "vitest";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { openHelper, prepareLook } from "../../src/host/helperSession.js";

it("a look whose container ends while nobody can wait for it yet ends no process", async () => {
  const stdin = new PassThrough();
  const engine: Partial<ContainerEngine> = {
    endpoint: "unix:///fake.sock",
    runAttached: () => Promise.resolve({ id: "helper", stdin }),
    inspectContainer: () => Promise.resolve(undefined),
    waitUntilRemoved: () => Promise.resolve(),
    // As while Docker is away, and the person stops the run by then.
    answerOf: async () => {
      stdin.destroy();
      await setImmediate();
      throw new Error("stopped while Docker was away");
    },
  };
  const look = { dockerRootDir: "/var/lib/docker" };
  const helper = await openHelper(engine as ContainerEngine, "sha256:1", { look: await prepareLook(look) });
  // Vitest fails as well for a rejection that nobody has handled, as Node.js ends for one.
  await expect(helper.look(look)).rejects.toThrow(/No such container|stopped while Docker was away/);
  await helper.close();
});

it("a helper whose connection broke while it was started is known to have ended", async () => {
  const stdin = new PassThrough();
  stdin.destroy();
  await once(stdin, "close");
  const engine: Partial<ContainerEngine> = {
    endpoint: "unix:///fake.sock",
    runAttached: () => Promise.resolve({ id: "helper", stdin }),
    exec: async (_id, _argv, { signal } = {}) => {
      signal?.throwIfAborted();
      return new Promise(() => undefined);
    },
    waitUntilRemoved: () => Promise.resolve(),
  };
  const helper = await openHelper(engine as ContainerEngine, "sha256:1");
  await expect(helper.run("true")).rejects.toThrow("the helper container helper has ended");
  await helper.close();
});

it("many connections end with the helper, without a warning on the terminal", async () => {
  const streams: PassThrough[] = [];
  const stdin = new PassThrough();
  const engine: Partial<ContainerEngine> = {
    endpoint: "unix:///fake.sock",
    runAttached: () => Promise.resolve({ id: "helper", stdin }),
    execStream: () => Promise.resolve(streams[streams.push(new PassThrough()) - 1] ?? stdin),
    waitUntilRemoved: () => Promise.resolve(),
  };
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  process.on("warning", note);
  const helper = await openHelper(engine as ContainerEngine, "sha256:1");
  for (let count = 0; count < 12; count++) (await helper.openTcp("127.0.0.1", 6443)).on("error", () => undefined);
  await setImmediate();
  process.off("warning", note);
  expect(warnings).toEqual([]);
  stdin.destroy();
  await once(stdin, "close");
  expect(streams.filter(({ destroyed }) => destroyed)).toHaveLength(12);
  await helper.close();
});
