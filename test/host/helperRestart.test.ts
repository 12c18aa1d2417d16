import { PassThrough } from "node:stream";
import { expect, it } from "vitest";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { openHelper } from "../../src/host/helperSession.js";

it("a run that was stopped has a helper again when Docker is back, to be undone", async () => {
  const stop = new AbortController();
  const started: string[] = [];
  let onReturn: ((engine: ContainerEngine) => Promise<void>) | undefined;
  const engine: Partial<ContainerEngine> = {
    endpoint: "unix:///fake.sock",
    runAttached: () => {
      started.push(`helper ${started.length + 1}`);
      return Promise.resolve({ id: `helper ${started.length}`, stdin: new PassThrough() });
    },
    inspectContainer: () => Promise.resolve(undefined),
    removeContainer: () => Promise.resolve(),
    waitUntilRemoved: () => Promise.resolve(),
    exec: (id) => Promise.resolve({ exitCode: 0, stdout: Buffer.from(id), stderr: "" }),
    outages: {
      recover: () => Promise.resolve(),
      onReturn: (listener) => {
        onReturn = listener;
        return () => undefined;
      },
    },
  };
  const helper = await openHelper(engine as ContainerEngine, "sha256:1", {
    lock: { command: "master", holder: "me@here", wait: false, report: () => undefined, signal: stop.signal },
  });
  stop.abort();
  await onReturn?.(engine as ContainerEngine);
  expect((await helper.run("undo")).stdout.toString()).toBe("helper 2");
  await helper.close();
});
