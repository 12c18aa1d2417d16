import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { makeKubeconfig, readKubeconfig } from "../../src/kubernetes/kubeconfig.js";

const content = {
  clusterName: "kubernetes",
  server: "https://10.0.0.5:6443",
  caPem: "-----BEGIN CERTIFICATE-----\nCA\n-----END CERTIFICATE-----\n",
  user: "kubernetes-admin",
};
const keyPair = { certificate: "CERT", privateKey: "KEY" };

test("a kubeconfig is in kubeadm's form", () => {
  expect(makeKubeconfig({ ...content, credentials: { keyPair } })).toBe(`apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: ${Buffer.from(content.caPem).toString("base64")}
    server: https://10.0.0.5:6443
  name: kubernetes
contexts:
- context:
    cluster: kubernetes
    user: kubernetes-admin
  name: kubernetes-admin@kubernetes
current-context: kubernetes-admin@kubernetes
kind: Config
preferences: {}
users:
- name: kubernetes-admin
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
`);
});

test("what was made can be read", () => {
  const common = {
    context: "kubernetes-admin@kubernetes",
    server: content.server,
    ca: { data: content.caPem },
  };
  const read = (credentials: Parameters<typeof makeKubeconfig>[0]["credentials"]): unknown =>
    readKubeconfig(makeKubeconfig({ ...content, credentials }));
  expect(read({ keyPair })).toEqual({ ...common, certificate: { data: "CERT" }, key: { data: "KEY" } });
  expect(read({ token: "abcdef.0123456789abcdef" })).toEqual({ ...common, token: { data: "abcdef.0123456789abcdef" } });
  expect(read({ certFile: "/a.pem", keyFile: "/b.pem" })).toEqual({
    ...common,
    certificate: { file: "/a.pem" },
    key: { file: "/b.pem" },
  });
});

test("kubectl understands it", () => {
  const folder = mkdtempSync(join(tmpdir(), "tsdeploy-kubeconfig-"));
  try {
    const file = join(folder, "config");
    writeFileSync(file, makeKubeconfig({ ...content, credentials: { token: "x" } }));
    const view = execFileSync("kubectl", ["--kubeconfig", file, "config", "view", "--minify", "-o", "json"]);
    expect(JSON.parse(view.toString())).toMatchObject({ clusters: [{ cluster: { server: content.server } }] });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test.each([
  ["[", "is not YAML"],
  ["clusters: 5", "is not a kubeconfig"],
  ["", "is not a kubeconfig"],
  ["clusters: []", "has no current context"],
  ["current-context: a", "has no context a"],
  ["current-context: a\ncontexts: [{name: a, context: {cluster: c, user: u}}]", "has no cluster c"],
])("%j %s", (text, message) => {
  expect(() => readKubeconfig(text)).toThrow(message);
});
