import { execFileSync, spawn, spawnSync, type SpawnSyncReturns } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { commandTable } from "../src/config/commandTable.js";
import { optionsOf } from "../src/config/optionTable.js";
import { defaultVersion } from "../src/kubernetes/versions.js";

const folder = mkdtempSync(join(tmpdir(), "tsdeploy-cli-"));
const env = { PATH: process.env["PATH"], HOME: folder, DOCKER_HOST: "unix:///nowhere/docker.sock" };
const cli = "dist/cli.js";

beforeAll(() => {
  execFileSync(process.execPath, ["scripts/dev/bundle.mjs"], { stdio: "inherit" });
}, 120_000);

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function tsdeploy(...args: string[]): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, [cli, ...args], { env, encoding: "utf8" });
}

describe("the package", () => {
  it("needs no other packages beside it", () => {
    const argv = ["pack", "--silent", "--ignore-scripts", "--pack-destination", folder];
    const tarball = execFileSync("npm", argv, { encoding: "utf8" }).trim();
    execFileSync("tar", ["-xzf", join(folder, tarball), "-C", folder]);
    const alone = join(folder, "package/dist/cli.js");
    const run = (...args: string[]) => spawnSync(process.execPath, [alone, ...args], { env, encoding: "utf8" });
    expect(run("versions").stdout).toContain(defaultVersion);
    // All of dockerode is loaded before it fails, and all that reads the file.
    const config = join(folder, "cluster.yaml");
    writeFileSync(config, "clusterName: lab\n");
    const { status, stderr } = run("master", "--dry-run", "--config", config);
    expect(stderr).toContain("DOCKER_UNREACHABLE");
    expect(status).toBe(5);
    expect(readFileSync(join(folder, "package/dist/LICENSES.txt"), "utf8")).toMatch(/^dockerode [\d.]+ \(Apache-2.0\)$/m);
    // Another Node.js may refuse V8's code cache.
    writeFileSync(join(folder, `package/dist/bundle/main.${process.arch}.cache`), "made by another");
    expect(run("versions").stdout).toContain(defaultVersion);
  });

  it.each(["--version", "--help"])("has a code cache for %s that this Node.js takes", (argument) => {
    const load = "const { runBundle } = require('./dist/runBundle.js'); console.log(runBundle().cachedDataRejected)";
    const { stdout } = spawnSync(process.execPath, ["-e", load, "unused", argument], { env, encoding: "utf8" });
    expect(stdout).toMatch(/^false$/m);
  });
});

describe("help", () => {
  it("shows the commands, examples and exit codes", () => {
    const { status, stdout, stderr } = tsdeploy("--help");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    for (const text of ["master", "worker", "teardown", "token", "Examples:", "Exit codes:"]) {
      expect(stdout).toContain(text);
    }
  });

  it.each(commandTable.map(({ name }) => name))("of %s has its options and examples", (name) => {
    const { status, stdout } = tsdeploy(...name.split(" "), "--help");
    expect(status).toBe(0);
    expect(stdout).toContain(`tsdeploy ${name}`);
    expect(stdout).toContain("Examples:");
    for (const { flag } of optionsOf(name)) expect(stdout).toContain(flag ?? "");
  });

  it("tells the version of the package", () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    expect(tsdeploy("--version").stdout).toBe(`${version}\n`);
  });

  it("goes to stderr, with exit code 2, if there is no command", () => {
    const { status, stdout, stderr } = tsdeploy();
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toContain("Usage: tsdeploy");
  });
});

describe("bad input", () => {
  it("is told at once, before Docker is asked", () => {
    const values = ["--pod-cidr", "10.244.0.0/33", "--service-cidr", "banana", "--k8s-version", "v9.9.9"];
    const { status, stdout, stderr } = tsdeploy("master", ...values, "--nod-name=x");
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    for (const text of ["10.244.0.0/33", "banana", "v9.9.9", "--nod-name", "Did you mean --node-name?"]) {
      expect(stderr).toContain(text);
    }
    expect(stderr).not.toContain("/nowhere/docker.sock");
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  it("is one JSON document with --output json, wherever that stands", () => {
    for (const args of [
      ["--output", "json", "worker"],
      ["worker", "-o", "json"],
    ]) {
      const { status, stdout } = tsdeploy(...args);
      expect(status).toBe(2);
      expect(JSON.parse(stdout)).toMatchObject({
        ok: false,
        error: { kind: "usage", problems: [{ code: "OPTION_MISSING" }] },
      });
    }
  });

  it.each([
    [["mater"], "Did you mean master?"],
    [["token", "crate"], "Did you mean create?"],
    [["token", "revoke"], "missing required argument"],
    [["master", "10.0.0.5"], "takes no arguments"],
    [["image", "svae"], "Did you mean save?"],
    [["image", "save"], "missing required argument"],
    [["image", "copy"], "--to ssh://"],
    [["image", "build", "--arch", "sparc"], "amd64, arm64"],
    [["master", "--insecure-api", "--k8s-version", "v1.30.0"], "--insecure-api"],
    [["master", "--proxy-mode", "nftables", "--k8s-version", "v1.20.2"], "--proxy-mode"],
    [["master", "--pod-cidr"], "argument missing"],
    [["completion", "tcsh"], "bash, zsh, fish"],
  ])("%j is refused with exit code 2", (args, expected) => {
    const { status, stderr } = tsdeploy(...args);
    expect(status).toBe(2);
    expect(stderr).toContain(expected);
  });

  it("shows no token", () => {
    const token = "abcdef.0123456789abcdef";
    for (const args of [[`--tokn=${token}`], ["--tokn", token], ["--token", token], [token]]) {
      const { status, stderr } = tsdeploy("worker", ...args);
      expect(status).toBe(2);
      expect(stderr).not.toContain("0123456789abcdef");
    }
    expect(tsdeploy(`--tokn=${token}`, "worker").stderr).not.toContain("0123456789abcdef");
  });
});

describe("versions", () => {
  it("asks no Docker", () => {
    const { status, stdout, stderr } = tsdeploy("versions");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toContain(`A new cluster gets ${defaultVersion}`);
    const { stdout: json } = tsdeploy("versions", "--output", "json");
    expect(JSON.parse(json)).toMatchObject({ ok: true, defaultVersion });
  });
});

describe("the process", () => {
  it("ends with 5 if Docker cannot be reached", () => {
    const { status, stderr } = tsdeploy("status");
    expect(status).toBe(5);
    expect(stderr).toContain("/nowhere/docker.sock");
  });

  it("warns of variables that mean nothing to the hosts of a file", () => {
    const file = join(folder, "hosts.yaml");
    writeFileSync(file, "hosts: [{role: master, dockerContext: one}]\n");
    const { status, stderr } = spawnSync(process.execPath, [cli, "config", "validate", "--file", file], {
      env: { ...env, TSDEPLOY_NETWORK: "bridge" },
      encoding: "utf8",
    });
    expect(status).toBe(0);
    expect(stderr).toMatch(/^warning: TSDEPLOY_NETWORK means nothing here: .*hosts\.yaml says the options of its/);
  });

  it("ends quietly if nobody reads its output", () => {
    const { stderr } = spawnSync("bash", ["-c", `"$0" ${cli} completion bash | true`, process.execPath], {
      env,
      encoding: "utf8",
    });
    expect(stderr).toBe("");
  });

  it("ends at once at the second Ctrl-C, with 130", async () => {
    const socketPath = join(folder, "silent.sock");
    const silent = createServer();
    await new Promise<void>((resolve) => silent.listen(socketPath, resolve));
    const child = spawn(process.execPath, [cli, "status", "--host", `unix://${socketPath}`], { env });
    try {
      silent.once("connection", () => child.kill("SIGINT"));
      child.stderr.on("data", (chunk: Buffer) => {
        if (chunk.includes("SIGINT")) child.kill("SIGINT");
      });
      const [code, signal] = (await once(child, "exit")) as [number | null, NodeJS.Signals | null];
      // Where the second one comes while the process is ending by itself, it ends by the signal: 130 to a shell, too.
      expect(signal === "SIGINT" ? 130 : code).toBe(130);
    } finally {
      child.kill("SIGKILL");
      silent.close();
    }
  });
});

describe("completion", () => {
  const complete = (...words: string[]): string[] => {
    const script = [
      `source <("$0" ${cli} completion bash)`,
      'COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))',
      "_tsdeploy",
      'printf "%s\\n" "${COMPREPLY[@]}"',
    ].join("\n");
    const args = ["-c", script, process.execPath, "tsdeploy", ...words];
    const { stdout } = spawnSync("bash", args, { env, encoding: "utf8" });
    return stdout.trim().split("\n");
  };

  it.each(["bash", "zsh", "fish"])("for %s knows all commands and flags", (shell) => {
    const { status, stdout } = tsdeploy("completion", shell);
    expect(status).toBe(0);
    for (const { name } of commandTable) expect(stdout).toContain(name.split(" ").at(-1));
    for (const flag of ["service-cidr", "token-file", "keep-on-failure", "no-kubeconfig", "no-insecure-api"]) {
      expect(stdout).toContain(flag);
    }
  });

  it("is a script that bash reads", () => {
    const script = tsdeploy("completion", "bash").stdout;
    expect(spawnSync("bash", ["-n"], { input: script, encoding: "utf8" })).toMatchObject({ status: 0, stderr: "" });
  });

  it("completes commands, options and values in bash", () => {
    expect(complete("te")).toEqual(["teardown"]);
    expect(complete("token", "c")).toEqual(["create"]);
    expect(complete("addon", "enable", "m")).toEqual(["metrics-server"]);
    expect(complete("-H", "tcp://a", "worker", "--ma")).toEqual(["--master"]);
    expect(complete("master", "--network", "b")).toEqual(["bridge"]);
    expect(complete("image", "l")).toEqual(["list", "load"]);
    expect(complete("image", "save", "--k8s")).toEqual(["--k8s-version"]);
    expect(complete("image", "build", "--arch", "ar")).toEqual(["arm64"]);
    expect(complete("image", "load", "package.js")).toEqual(["package.json"]);
    expect(complete("image", "build", "--binaries", "manif")).toEqual(["manifests-multi"]);
    expect(complete("master", "--pod-cidr", "")).toEqual([""]);
  });
});

describe("standard output", () => {
  it("that takes nothing any more is told as all errors are", () => {
    const full = openSync("/dev/full", "w");
    const { status, stderr } = spawnSync(process.execPath, [cli, "versions"], { env, stdio: ["ignore", full, "pipe"] });
    closeSync(full);
    expect(status).toBe(3);
    expect(stderr.toString()).toMatch(/^error: OUTPUT_UNWRITABLE: .*ENOSPC.*\n  → .*\n$/);
  });
});
