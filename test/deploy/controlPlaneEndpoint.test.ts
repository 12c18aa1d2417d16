import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { refuseEndpoint, warnOfSilence } from "../../src/deploy/controlPlaneEndpoint.js";
import type { Helper } from "../../src/host/helperSession.js";
import { namedAddress } from "../../src/kubernetes/networks.js";
import { type MadeIdentity, makeIdentity } from "../../src/pki/makeIdentity.js";
import type { RunContext } from "../../src/report/runContext.js";
import { TestApiServer } from "../api/testApiServer.js";
import { identityRequest } from "../pki/identityRequest.js";

const { signal } = new AbortController();
let ours: MadeIdentity;
let theirs: MadeIdentity;
let server: TestApiServer;

/** A host that knows these names, and from which all of them lead to the server. */
function hostThatKnows(...names: string[]): Pick<Helper, "run" | "openTcp"> {
  const run = (_script: string, [name = ""]: readonly string[] = []) =>
    Promise.resolve({ exitCode: 0, stdout: Buffer.from(names.includes(name) ? `192.0.2.7 STREAM ${name}\n` : ""), stderr: "" });
  return { run, openTcp: () => server.connect() };
}

beforeAll(async () => {
  [ours, theirs] = await Promise.all([
    makeIdentity({ ...identityRequest, controlPlaneEndpoint: "k8s.example.com:8443" }),
    makeIdentity(identityRequest),
  ]);
  server = await TestApiServer.start(ours.identity.apiserver, ours.identity.ca.certificate);
  // Nobody has to have a credential to be told whose server it is.
  server.access = () => 403;
});

afterAll(() => server.stop());

describe("a control-plane endpoint", () => {
  it("that nobody knows is refused", async () => {
    const asking = refuseEndpoint(hostThatKnows(), "k8s.example.com:8443", ours.identity.ca.certificate, signal);
    await expect(asking).rejects.toThrow("ENDPOINT_UNKNOWN: this host finds no address for the control-plane endpoint k8s.example.com");
  });

  it("at which another cluster answers is refused", async () => {
    const host = hostThatKnows("k8s.example.com");
    const asking = refuseEndpoint(host, "k8s.example.com:8443", theirs.identity.ca.certificate, signal);
    await expect(asking).rejects.toThrow("ENDPOINT_TAKEN: at the control-plane endpoint k8s.example.com:8443 another cluster answers");
  });

  it("may lead nowhere yet, which is said when the cluster is there", async () => {
    const host = { ...hostThatKnows("k8s.example.com"), openTcp: () => Promise.reject(new Error("connection refused")) };
    await refuseEndpoint(host, "k8s.example.com:8443", ours.identity.ca.certificate, signal);
    const said: string[] = [];
    const report = (event: { kind: string; message?: string }) => said.push(event.message ?? "");
    const context = { signal, report } as unknown as RunContext;
    await warnOfSilence(host, "k8s.example.com:8443", ours.identity.ca.certificate, context);
    expect(said).toEqual([expect.stringContaining("no API server of this cluster answers at k8s.example.com:8443")]);
    await warnOfSilence(hostThatKnows(), "k8s.example.com:8443", ours.identity.ca.certificate, context);
    expect(said).toHaveLength(1);
  });

  it("is in the API server's certificate, and where an administrator finds the cluster", () => {
    const admin = ours.files.find(({ path }) => path.endsWith("/admin.conf"))?.content;
    expect(admin).toContain("server: https://k8s.example.com:8443");
    const scheduler = ours.files.find(({ path }) => path.endsWith("/scheduler.conf"))?.content;
    expect(scheduler).toContain("server: https://127.0.0.1:6443");
  });
});

it.each([
  ["https://10.0.0.5:6443", "10.0.0.5"],
  ["https://k8s.example.com:8443", "k8s.example.com:8443"],
  ["https://k8s.example.com:443", "k8s.example.com:443"],
])("%s is named %s", (url, named) => {
  expect(namedAddress(url)).toBe(named);
});
