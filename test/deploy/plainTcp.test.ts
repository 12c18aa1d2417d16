import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { withEngine } from "../../src/deploy/withEngine.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { RunContext } from "../../src/report/runContext.js";

let daemon: Server;

beforeAll(async () => {
  const version = { Version: "20.10.24", ApiVersion: "1.41", MinAPIVersion: "1.12", Os: "linux", Arch: "amd64" };
  daemon = createServer((_, response) => response.end(JSON.stringify(version))).listen(0, "0.0.0.0");
  await once(daemon, "listening");
});

afterAll(() => {
  daemon.closeAllConnections();
  daemon.close();
});

/** What is reported before anything is asked through the connection. */
async function reportedFor(host: string): Promise<readonly ReportEvent[]> {
  const events: ReportEvent[] = [];
  const { signal } = new AbortController();
  const context: Partial<RunContext> = { env: {}, signal, report: (event) => events.push(event) };
  const dockerHost = `tcp://${host}:${(daemon.address() as AddressInfo).port}`;
  return withEngine({ dockerHost }, context as RunContext, () => Promise.resolve([...events]));
}

test("a Docker of another address without TLS is a danger, and the way out is named", async () => {
  // It connects to this machine, and is no loopback address.
  const events = await reportedFor("0.0.0.0");
  expect(events).toMatchObject([{ kind: "warning", danger: true, message: expect.stringMatching(/keys.*ssh:\/\//) as string }]);
});

test.each(["127.0.0.1", "localhost"])("on loopback (%s) there is nobody in between", async (host) => {
  expect(await reportedFor(host)).toEqual([]);
});
