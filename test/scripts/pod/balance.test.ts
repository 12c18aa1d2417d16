import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { startScript } from "./runScript.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsdeploy-balance-"));
  await mkdir(join(folder, "bin"));
});
afterEach(() => rm(folder, { recursive: true }));

async function program(name: string, text: string): Promise<void> {
  const path = join(folder, "bin", name);
  await writeFile(path, `#!/usr/bin/env bash\n${text}\n`);
  await chmod(path, 0o755);
}

/** HAProxy that shows its configuration when it starts and whenever it is told to read it anew. */
const haproxy = `
trap 'cp "$configuration" "$OUT.again"' USR2
trap 'exit 0' TERM
configuration=$3
cp "$configuration" "$OUT"
while true; do sleep 0.05; done`;

function event(...addresses: readonly string[]): string {
  const subsets = [{ addresses: addresses.map((ip) => ({ ip })), ports: [{ name: "https", port: 6443 }] }];
  return JSON.stringify({ type: "MODIFIED", object: { kind: "Endpoints", metadata: { name: "kubernetes" }, subsets } });
}

function start(): ReturnType<typeof startScript> {
  const at = (name: string): string => join(folder, name);
  process.env["OUT"] = at("shown.cfg");
  return startScript(
    "balance",
    ["--listen", "127.0.0.1:6443", "--list", at("list"), "--certificate", at("certificate"), "--ca", at("ca")],
    join(folder, "bin"),
  );
}

async function text(name: string): Promise<string> {
  return readFile(join(folder, name), "utf8").catch(() => "");
}

test("has HAProxy bring connections to the masters of the list, and follows the Endpoints", async () => {
  await program("haproxy", haproxy);
  await program("curl", `printf '%s\\n' "$@" >"$OUT.curl"; echo '${event("10.0.0.7", "10.0.0.5")}'; exec sleep 60`);
  await writeFile(join(folder, "list"), "10.0.0.5:6443\n");
  const { child, done } = start();
  try {
    await expect.poll(() => text("shown.cfg"), { timeout: 10_000 }).toContain("server 10.0.0.5:6443 10.0.0.5:6443\n");
    // Whoever has a connection by a former list would not hear that its master is lost.
    expect(await text("shown.cfg")).toContain("hard-stop-after");
    // There is no credential yet, so nobody is asked.
    expect(await text("shown.cfg.curl")).toBe("");
    await writeFile(join(folder, "certificate"), "x");
    await expect.poll(() => text("list"), { timeout: 10_000 }).toBe("10.0.0.5:6443\n10.0.0.7:6443\n");
    await expect.poll(() => text("shown.cfg.again"), { timeout: 10_000 }).toContain("server 10.0.0.7:6443 10.0.0.7:6443\n");
    expect(await text("shown.cfg.curl")).toContain("https://127.0.0.1:6443/api/v1/namespaces/default/endpoints?watch=true");
  } finally {
    child.kill("SIGTERM");
  }
  expect((await done).code).toBe(143);
});

test("keeps the list when what it hears names nobody", async () => {
  await program("haproxy", haproxy);
  await program("curl", `echo '${event()}'; echo '{"kind":"Status","code":403}'; touch "$OUT.heard"; exec sleep 60`);
  await writeFile(join(folder, "list"), "10.0.0.5:6443\n");
  await writeFile(join(folder, "certificate"), "x");
  const { child, done } = start();
  await expect.poll(() => text("shown.cfg"), { timeout: 10_000 }).toContain("10.0.0.5:6443");
  child.kill("SIGTERM");
  await done;
  expect(await text("list")).toBe("10.0.0.5:6443\n");
});

test("ends when HAProxy does, so that Docker starts it anew", async () => {
  await program("haproxy", "exit 3");
  await program("curl", "exec sleep 60");
  await writeFile(join(folder, "list"), "10.0.0.5:6443\n");
  const { done } = start();
  expect((await done).code).toBe(3);
});
