import { X509Certificate } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runScript, type ScriptResult } from "./runScript.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsdeploy-setup-"));
});
afterEach(() => rm(folder, { recursive: true }));

function setup(...options: string[]): Promise<ScriptResult> {
  const folders = ["pki", "data", "etcd"].flatMap((name) => [`--${name}`, join(folder, name)]);
  return runScript("setup-files", ...options, "--once", ...folders, "IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default");
}

async function filesIn(name: string): Promise<Record<string, string>> {
  const entries = await readdir(join(folder, name), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(
    files.map(async (file) => [file.slice(join(folder, name).length + 1), await readFile(file, "utf8")] as const),
  );
  return Object.fromEntries(contents);
}

function certificate(files: Record<string, string>, name: string): X509Certificate {
  return new X509Certificate(files[`${name}.crt`] ?? "");
}

test("makes a whole identity, and gives the control plane what it needs of it", async () => {
  expect(await setup()).toMatchObject({ code: 0, stderr: "" });
  const pki = await filesIn("pki");
  for (const [leaf, ca] of [
    ["apiserver", "ca"],
    ["apiserver-kubelet-client", "ca"],
    ["apiserver-etcd-client", "etcd/ca"],
    ["etcd/server", "etcd/ca"],
    ["front-proxy-client", "front-proxy-ca"],
  ] as const) {
    expect(certificate(pki, leaf).verify(certificate(pki, ca).publicKey), leaf).toBe(true);
    expect(certificate(pki, leaf).ca, leaf).toBe(false);
    expect(certificate(pki, ca).ca, ca).toBe(true);
  }
  const server = certificate(pki, "apiserver");
  expect(server.subjectAltName).toBe("IP Address:10.96.0.1, DNS:kubernetes, DNS:kubernetes.default");
  const days = (Date.parse(server.validTo) - Date.parse(server.validFrom)) / 86_400_000;
  expect(days).toBe(365);

  const data = await filesIn("data");
  for (const name of ["ca.crt", "ca.key", "sa.key", "sa.pub", "apiserver.crt", "apiserver.key", "etcd/ca.crt"]) {
    expect(data[name], name).toBe(pki[name]);
  }
  expect(Object.keys(data)).toContain(".complete");
  expect(Object.keys(data)).not.toContain("etcd/ca.key");
  expect(Object.keys(data)).not.toContain("front-proxy-ca.key");
  for (const name of ["pki/ca.key", "data/sa.key", "data/apiserver.key"]) {
    expect((await stat(join(folder, name))).mode & 0o777, name).toBe(0o600);
  }
});

test("overwrites nothing, and completes what is missing", async () => {
  await setup("--tokens");
  const before = await filesIn("pki");
  await rm(join(folder, "pki/apiserver.crt"));
  await rm(join(folder, "pki/known_tokens.csv"));
  expect(await setup("--tokens")).toMatchObject({ code: 0, stderr: "" });
  const after = await filesIn("pki");
  expect(Object.keys(after).sort()).toEqual(Object.keys(before).sort());
  const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
  expect(changed.sort()).toEqual(["apiserver.crt", "known_tokens.csv"]);
  expect(certificate(after, "apiserver").verify(certificate(after, "ca").publicKey)).toBe(true);
});

test("makes random tokens for the versions that read them, and for these alone", async () => {
  await setup();
  expect(Object.keys(await filesIn("pki")).filter((name) => name.endsWith(".csv"))).toEqual([]);
  await setup("--tokens");
  const { "known_tokens.csv": tokens = "", "basic_auth.csv": basic = "" } = await filesIn("data");
  expect(tokens.replace(/^[0-9a-f]{32},/gm, "")).toBe("admin,admin\nkubelet,kubelet\nkube_proxy,kube_proxy\n");
  expect(new Set(tokens.match(/[0-9a-f]{32}/g)).size).toBe(3);
  expect(basic).toMatch(/^[0-9a-f]{32},admin,admin\n$/);
});

test.each(["ca.crt", "sa.key"])("refuses to make %s anew beside a cluster's data", async (name) => {
  await setup();
  await mkdir(join(folder, "etcd/member"), { recursive: true });
  expect(await setup()).toMatchObject({ code: 0 });
  await rm(join(folder, "pki", name));
  const result = await setup();
  expect(result.code).toBe(1);
  expect(result.stderr).toContain(`pki/${name} is missing`);
  expect(Object.keys(await filesIn("pki"))).not.toContain(name);
});

test("refuses a certificate without its key", async () => {
  await setup();
  await rm(join(folder, "pki/apiserver.key"));
  const result = await setup();
  expect(result.code).toBe(1);
  expect(result.stderr).toContain("apiserver.crt is there, but not its key");
});

test("follows the host's files when it starts again", async () => {
  await setup();
  await writeFile(join(folder, "pki/ca.crt"), "renewed");
  await setup();
  expect((await filesIn("data"))["ca.crt"]).toBe("renewed");
});
