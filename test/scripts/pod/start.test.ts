import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { runScript, startScript } from "./runScript.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsdeploy-start-"));
});
afterEach(() => rm(folder, { recursive: true }));

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

test("becomes the program, with its arguments as they are and its exit code", async () => {
  const result = await runScript("start", "--", "bash", "-c", 'printf "%s|" "$@"; exit 7', "-", "a b", "--file", "*");
  expect(result).toEqual({ code: 7, stdout: "a b|--file|*|", stderr: "" });
});

test("waits for a file until it has content", async () => {
  const file = join(folder, "file");
  await writeFile(file, "");
  const { child, done } = startScript("start", ["--file", file, "--", "cat", file]);
  // An early start would print nothing.
  await writeFile(file, "content");
  expect(await done).toMatchObject({ code: 0, stdout: "content" });
  expect(child.exitCode).toBe(0);
});

test("waits for a port", async () => {
  const closed = createServer();
  const port = await listen(closed);
  await new Promise((resolve) => closed.close(resolve));
  const { child, done } = startScript("start", ["--tcp", `127.0.0.1:${port}`, "--", "echo", "started"]);
  const server = createServer((socket) => socket.end());
  let connected = 0;
  server.on("connection", () => connected++);
  expect(child.exitCode).toBeNull();
  server.listen(port, "127.0.0.1");
  expect(await done).toMatchObject({ code: 0, stdout: "started\n" });
  expect(connected).toBe(1);
  server.close();
});

test("waits for an API server to be healthy, not just to accept", async () => {
  const { createServer: createHttps } = await import("node:https");
  const { execFileSync } = await import("node:child_process");
  execFileSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"],
    ...["-keyout", join(folder, "key"), "-out", join(folder, "crt")],
  ]);
  const { readFileSync } = await import("node:fs");
  const asked: string[] = [];
  const server = createHttps({ key: readFileSync(join(folder, "key")), cert: readFileSync(join(folder, "crt")) });
  server.on("request", (request, response) => {
    asked.push(request.url ?? "");
    response.end(asked.length < 3 ? "not yet" : "ok");
  });
  const port = await listen(server);
  const result = await runScript("start", "--api", `https://127.0.0.1:${port}`, "--", "echo", "started");
  expect(result).toEqual({ code: 0, stdout: "started\n", stderr: "" });
  expect(asked).toHaveLength(3);
  expect(asked[0]).toMatch(/^\/healthz/);
  server.close();
});

test("ends at once when it is told to while it waits", async () => {
  const { child, done } = startScript("start", ["--file", join(folder, "never"), "--", "echo", "started"]);
  await new Promise((resolve) => child.once("spawn", resolve));
  child.kill("SIGTERM");
  const result = await done;
  expect(result.stdout).toBe("");
  expect(result.code === 143 || child.signalCode === "SIGTERM").toBe(true);
});

test.each([[["--nonsense", "x", "--", "true"]], [["--file", "/dev/null"]], [[]]])("refuses %j", async (args) => {
  const result = await runScript("start", ...args);
  expect(result.code).not.toBe(0);
  expect(result.stderr).not.toBe("");
});
