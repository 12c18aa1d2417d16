import { spawnSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { fixedJoinToken } from "../../../src/pki/tokenFiles.js";
import { runScript, scriptPath, type ScriptResult } from "./runScript.js";

/** A host where everything was made, tokens too. */
let made: string;
let madeBy: ScriptResult;
/** This test's host. */
let folder: string;

beforeAll(async () => {
  made = await mkdtemp(join(tmpdir(), "tsdeploy-setup-made-"));
  folder = made;
  await givePolicy();
  madeBy = await setup("--tokens", "--basic-auth");
});
afterAll(() => rm(made, { recursive: true }));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsdeploy-setup-"));
});
afterEach(() => rm(folder, { recursive: true }));

function argumentsWith(options: readonly string[]): string[] {
  const folders = ["pki", "data", "etcd"].flatMap((name) => [`--${name}`, join(folder, name)]);
  return [...options, "--once", ...folders, "IP:10.96.0.1,DNS:kubernetes,DNS:kubernetes.default"];
}

function setup(...options: string[]): Promise<ScriptResult> {
  return runScript("setup-files", ...argumentsWith(options));
}

/** What the launcher lays down before. */
async function givePolicy(): Promise<void> {
  await mkdir(join(folder, "pki"), { recursive: true });
  await writeFile(join(folder, "pki/abac-policy.jsonl"), "policy\n");
}

/** This test's host has everything but `missing`. */
async function giveAllBut(...missing: string[]): Promise<void> {
  await cp(join(made, "pki"), join(folder, "pki"), { recursive: true });
  for (const file of missing) await rm(join(folder, "pki", file));
}

async function filesIn(name: string, of = folder): Promise<Record<string, string>> {
  const entries = await readdir(join(of, name), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const contents = await Promise.all(
    files.map(async (file) => [file.slice(join(of, name).length + 1), await readFile(file, "utf8")] as const),
  );
  return Object.fromEntries(contents);
}

function certificate(files: Record<string, string>, name: string): X509Certificate {
  return new X509Certificate(files[`${name}.crt`] ?? "");
}

describe("on a host with nothing", () => {
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
    expect(Object.keys({ ...pki, ...data }).filter((name) => name.endsWith(".csv"))).toEqual([]);
  });

  test("makes random tokens for the versions that read them", async () => {
    expect(madeBy).toMatchObject({ code: 0, stderr: "" });
    const pki = await filesIn("pki", made);
    const { "known_tokens.csv": tokens = "" } = pki;
    expect(tokens.replace(/^[^,]+/gm, "TOKEN")).toBe(
      'TOKEN,admin,admin,"system:masters"\nTOKEN,kubelet,kubelet,"system:nodes"\n' +
        'TOKEN,kube_proxy,kube_proxy,"system:node-proxier"\n',
    );
    expect(tokens).toMatch(/^[0-9a-z]{32},.*\n[0-9a-z]{6}\.[0-9a-z]{16},.*\n[0-9a-z]{32},/);
    expect(new Set(tokens.match(/^[^,]+/gm)).size).toBe(3);
    expect(fixedJoinToken(tokens, pki["ca.crt"] ?? "")).toBeDefined();
    expect(await filesIn("data", made)).toMatchObject({
      "known_tokens.csv": tokens,
      "abac-policy.jsonl": "policy\n",
      "basic_auth.csv": expect.stringMatching(/^[0-9a-z]{32},admin,admin\n$/) as string,
    });
    for (const file of ["known_tokens.csv", "basic_auth.csv"]) {
      expect((await stat(join(made, "pki", file))).mode & 0o777, file).toBe(0o600);
    }
  });

  test("shows the CA behind a server certificate that is made for tokens", async () => {
    const { "apiserver.crt": chain = "", "ca.crt": ca = "", "etcd/server.crt": other = "" } = await filesIn("pki", made);
    expect(chain.endsWith(ca)).toBe(true);
    expect([chain, other].map((pem) => pem.match(/BEGIN/g)?.length)).toEqual([2, 1]);
  });
});

test("overwrites nothing, and completes what is missing", async () => {
  await giveAllBut("apiserver.crt", "known_tokens.csv", "basic_auth.csv");
  expect(await setup("--tokens")).toMatchObject({ code: 0, stderr: "" });
  const [before, after] = await Promise.all([filesIn("pki", made), filesIn("pki")]);
  const changed = Object.keys(before).filter((name) => after[name] !== before[name]);
  expect(changed.sort()).toEqual(["apiserver.crt", "basic_auth.csv", "known_tokens.csv"]);
  expect(after["known_tokens.csv"]).toContain(",kubelet,");
  expect(after["basic_auth.csv"]).toBeUndefined();
  expect(certificate(after, "apiserver").verify(certificate(after, "ca").publicKey)).toBe(true);
});

test("tokens without a policy are refused: they would open everything, or nothing", async () => {
  await giveAllBut("abac-policy.jsonl", "known_tokens.csv");
  const result = await setup("--tokens");
  expect(result.code).toBe(1);
  expect(result.stderr).toContain("abac-policy.jsonl is missing");
  expect(Object.keys(await filesIn("pki"))).not.toContain("known_tokens.csv");
});

test("makes no tokens of nothing", async () => {
  await giveAllBut("known_tokens.csv");
  await mkdir(join(folder, "bin"));
  await writeFile(join(folder, "bin/openssl"), "#!/bin/sh\nexit 0\n", { mode: 0o755 });
  const env = { ...process.env, PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}` };
  const { status, stderr } = spawnSync("bash", [scriptPath("setup-files"), ...argumentsWith(["--tokens"])], { env });
  expect(status).toBe(1);
  expect(stderr.toString()).toContain("openssl gives no random bytes");
  expect(Object.keys(await filesIn("pki"))).not.toContain("known_tokens.csv");
});

test.each(["ca.crt", "etcd/ca.crt", "front-proxy-ca.crt", "sa.key"])("refuses to make %s anew beside a cluster's data", async (name) => {
  await giveAllBut();
  await mkdir(join(folder, "etcd/member"), { recursive: true });
  expect(await setup()).toMatchObject({ code: 0 });
  await rm(join(folder, "pki", name));
  const result = await setup();
  expect(result.code).toBe(1);
  expect(result.stderr).toContain(`pki/${name} is missing`);
  expect(Object.keys(await filesIn("pki"))).not.toContain(name);
});

test("refuses a certificate without its key", async () => {
  await giveAllBut("apiserver.key");
  const result = await setup();
  expect(result.code).toBe(1);
  expect(result.stderr).toContain("apiserver.crt is there, but not its key");
});

test("follows the host's files when it starts again", async () => {
  await giveAllBut();
  await setup();
  await writeFile(join(folder, "pki/ca.crt"), "renewed");
  await setup();
  expect((await filesIn("data"))["ca.crt"]).toBe("renewed");
});
