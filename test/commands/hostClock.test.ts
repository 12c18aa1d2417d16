import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { KubernetesClient } from "../../src/api/kubernetesClient.js";
import { status } from "../../src/commands/status.js";
import { tokenCreate } from "../../src/commands/token.js";
import type { LookedAtHost } from "../../src/deploy/withHelper.js";
import { bootstrapObjects } from "../../src/kubernetes/bootstrapObjects.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { labels } from "../../src/model/hostLayout.js";
import { type MadeIdentity, makeIdentity } from "../../src/pki/makeIdentity.js";
import type { RunContext } from "../../src/report/runContext.js";
import { TestApiServer } from "../api/testApiServer.js";
import { clusterConfig } from "../kubernetes/clusterConfig.js";
import { identityRequest } from "../pki/identityRequest.js";

const host = vi.hoisted((): { current?: LookedAtHost } => ({}));
type Use = (on: unknown) => unknown;
const useHost = vi.hoisted(() => (_options: unknown, _context: unknown, use: Use) => use(host.current));
vi.mock("../../src/deploy/withHelper.js", () => ({
  withHelper: useHost,
  withLook: useHost,
}));

const dayMs = 24 * 60 * 60 * 1000;
// The master's clock is 100 days ahead of this machine's.
const hostMs = Date.now() + 100 * dayMs;
const common = { output: "text", yes: false, verbose: false } as const;
const context: Partial<RunContext> = { report: () => undefined, signal: new AbortController().signal, env: {} };

let made: MadeIdentity;
let server: TestApiServer;

beforeAll(async () => {
  made = await makeIdentity(identityRequest);
});

beforeEach(async () => {
  const { identity, files } = made;
  server = await TestApiServer.start(identity.apiserver, identity.ca.certificate);
  const admin = new KubernetesClient({ server: `https://${server.address}`, connect: server.connect });
  for (const object of bootstrapObjects(clusterConfig, identity.ca.certificate, featuresOf("v1.20.2"), [])) {
    await admin.apply(object);
  }
  admin.close();
  const kubelet = { name: "kube_kubelet_1", state: "running", status: "Up", image: "hyperkube" };
  const kubeletLabels = { [labels.cluster]: "tsdeploy", [labels.role]: "master", [labels.component]: "kubelet" };
  const current = {
    engine: { endpoint: "unix:///fake.sock" },
    containers: [{ ...kubelet, labels: kubeletLabels }],
    helper: {
      readFiles: () => Promise.resolve(new Map(files.map((file) => [file.path, file]))),
      openTcp: () => server.connect(),
      clockMs: () => Promise.resolve(hostMs),
      addresses: () => Promise.resolve([]),
    },
  };
  host.current = current as unknown as LookedAtHost;
});

afterEach(() => server.stop());

test("a token ends by the clock of the master, which is what ends it", async () => {
  const options = { ...common, role: "worker" as const, tokenTtlMs: dayMs, given: new Set<string>() };
  const { data } = await tokenCreate(options, context as RunContext);
  const expires = new Date(hostMs + dayMs).toISOString();
  expect(data).toMatchObject({ expires });
  const [secret] = [...server.objects.values()].filter(({ kind }) => kind === "Secret");
  const { expiration = "" } = (secret as unknown as { data: Record<string, string> }).data;
  expect(Buffer.from(expiration, "base64").toString()).toBe(expires.replace(/\.\d+Z$/, "Z"));
});

test("certificates end by the clock of the host that uses them", async () => {
  const { text } = await status(common, context as RunContext);
  // They are good for a year of this machine's time.
  expect(text).toMatch(/the first to end is \S+, in 26[45] days/);
});
