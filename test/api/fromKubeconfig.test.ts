import { afterAll, beforeAll, expect, test } from "vitest";
import { fromKubeconfig } from "../../src/api/fromKubeconfig.js";
import { makeKubeconfig } from "../../src/kubernetes/kubeconfig.js";
import { type MadeIdentity, makeIdentity } from "../../src/pki/makeIdentity.js";
import { identityRequest, onHost } from "../pki/identityRequest.js";
import { TestApiServer } from "./testApiServer.js";

let made: MadeIdentity;
let server: TestApiServer;
let seen: string;

beforeAll(async () => {
  made = await makeIdentity(identityRequest);
  server = await TestApiServer.start(made.identity.apiserver, made.identity.ca.certificate);
  server.access = (who) => {
    seen = who;
    return 200;
  };
});

afterAll(() => server.stop());

async function whoIs(text: string, files: Readonly<Record<string, string>> = {}): Promise<string> {
  const readFile = (path: string): Promise<string> =>
    path in files ? Promise.resolve(files[path] ?? "") : Promise.reject(new Error(`there is no ${path}`));
  const client = await fromKubeconfig({ path: "the.conf", text, connect: server.connect, readFile });
  try {
    await client.healthz();
    return seen;
  } finally {
    client.close();
  }
}

test("embedded certificates", async () => {
  expect(await whoIs(onHost(made.files).get("/etc/kubernetes/admin.conf")?.content ?? "")).toBe("kubernetes-admin");
});

test("a kubelet's rotated certificate, key and certificate in one file", async () => {
  const rotated = "/var/lib/kubelet/pki/kubelet-client-current.pem";
  const { certificate, privateKey } = made.identity.kubelet;
  const text = makeKubeconfig({
    clusterName: "kubernetes",
    server: "https://127.0.0.1:6443",
    caPem: made.identity.ca.certificate,
    user: "kubelet",
    credentials: { certFile: rotated, keyFile: rotated },
  });
  expect(await whoIs(text, { [rotated]: certificate + privateKey })).toBe("system:node:master-1");
  await expect(whoIs(text)).rejects.toThrow(/KUBECONFIG_BROKEN: the\.conf there is no .*kubelet-client-current/);
  // As of a file that was cut off.
  await expect(whoIs(text, { [rotated]: certificate })).rejects.toThrow(/KUBECONFIG_BROKEN: .* cannot be used/);
});

test("a token", async () => {
  const { certificate: caPem } = made.identity.ca;
  const common = { clusterName: "kubernetes", server: "https://localhost", caPem, user: "x" };
  expect(await whoIs(makeKubeconfig({ ...common, credentials: { token: "t" } }))).toBe("Bearer t");
});

test("what is broken is named, not shown", async () => {
  await expect(whoIs("users: [c2VjcmV0")).rejects.toThrow("KUBECONFIG_BROKEN: the.conf is not YAML");
});
