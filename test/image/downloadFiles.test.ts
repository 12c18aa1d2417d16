import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Artifact } from "../../src/image/artifacts.js";
import { cacheFolder, makeWorkFolder } from "../../src/image/cacheFolder.js";
import { diskFault } from "../../src/image/diskFault.js";
import { type DownloadContext, downloadFiles, type DownloadProgress, sumIn } from "../../src/image/downloadFiles.js";
import { openWebClient, type WebClient } from "../../src/image/webClient.js";
import { TsdeployError } from "../../src/model/errors.js";
import { fakeBinary } from "./fakeBinary.js";
import { cutAfter, type FileServer, serve, startFileServer, status } from "./fileServer.js";

const path = "/dl.k8s.io/release/v1.36.2/bin/linux/amd64/kubelet";
const url = `https:/${path}`;

const kubelet: Artifact = {
  name: "kubelet",
  url,
  checksum: [
    { algorithm: "sha512", url: `${url}.sha512` },
    { algorithm: "sha256", url: `${url}.sha256` },
  ],
  contents: { kind: "program", target: "usr/local/bin/kubelet" },
};

let server: FileServer;
let cache: string;
let web: WebClient;
let notices: string[];
let progress: DownloadProgress[];
const content = fakeBinary({ bytes: 300_000 });

beforeEach(async () => {
  server = await startFileServer();
  cache = await mkdtemp(join(tmpdir(), "cache-"));
  web = openWebClient({});
  notices = [];
  progress = [];
  publish(content);
});

afterEach(async () => {
  await web.close();
  await server.close();
  await rm(cache, { recursive: true });
});

function sum(algorithm: string, bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest("hex");
}

function publish(bytes: Buffer): void {
  server.files.set(path, bytes);
  server.files.set(`${path}.sha512`, Buffer.from(sum("sha512", bytes)));
}

async function download(context: Partial<DownloadContext> = {}, artifacts: readonly Artifact[] = [kubelet]) {
  const paths = await downloadFiles(artifacts, {
    web,
    cache,
    mirror: server.url,
    signal: new AbortController().signal,
    onProgress: (seen) => progress.push(seen),
    onNotice: (message) => notices.push(message),
    retryDelayMs: 1,
    ...context,
  });
  return paths.get(artifacts[0] ?? kubelet) ?? "";
}

async function fails(context: Partial<DownloadContext> = {}) {
  const error: unknown = await download(context).catch((thrown: unknown) => thrown);
  if (!(error instanceof TsdeployError)) throw new Error("it did not fail", { cause: error });
  return { kind: error.kind, ...error.problems[0], codes: error.problems.map(({ code }) => code) };
}

/** GETs of the file itself. */
function gets(): string[] {
  return server.requests.filter((request) => new RegExp(`^GET ${path}( |$)`).test(request));
}

/** Comparing by `toEqual` takes a second. */
async function isContent(file: string): Promise<boolean> {
  return content.equals(await readFile(file));
}

/** What lies in the cache. */
async function cached(): Promise<string[]> {
  const all = await readdir(cache, { recursive: true, withFileTypes: true });
  return all.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe("a download", () => {
  it("brings the file, tells how far it is, and is not made again", async () => {
    const file = await download();
    expect(await isContent(file)).toBe(true);
    expect(progress[0]).toMatchObject({ file: "kubelet", bytesTotal: content.length });
    expect(progress.at(-1)).toEqual({
      file: "kubelet",
      bytesDone: content.length,
      bytesTotal: content.length,
      done: true,
    });
    server.requests.length = 0;
    expect(await download()).toBe(file);
    expect(server.requests).toEqual([]);
  });

  it("is checked by the strongest checksum there is", async () => {
    server.files.set(`${path}.sha256`, Buffer.from(sum("sha256", Buffer.from("another"))));
    expect(await isContent(await download())).toBe(true);
  });

  it("is checked by the next one where a server lacks the strongest", async () => {
    server.files.delete(`${path}.sha512`);
    server.files.set(`${path}.sha256`, Buffer.from(`${sum("sha256", content)}  kubelet\n`));
    expect(await isContent(await download())).toBe(true);
  });

  it("is checked by a pinned checksum without asking for another", async () => {
    const value = sum("sha256", content);
    await download({}, [{ ...kubelet, checksum: { algorithm: "sha256", value } }]);
    expect(server.requests.every((request) => request.endsWith(path))).toBe(true);
  });

  it("of several files is made of four at once, and waits for none that is here", async () => {
    const held: (() => void)[] = [];
    let most = 0;
    let left = 9;
    const artifacts = Array.from({ length: left }, (_, index): Artifact => {
      const name = `${path}-${index}`;
      server.files.set(name, content);
      server.answers.set(name, [
        (request, response, bytes) => {
          held.push(() => {
            serve(request, response, bytes);
          });
          if (held.length !== Math.min(4, left)) return;
          // A fifth would have come by then.
          void web.length(`${server.url}${path}`, AbortSignal.timeout(5_000)).then(() => {
            most = Math.max(most, held.length);
            left -= held.length;
            for (const answer of held.splice(0)) answer();
          });
        },
      ]);
      return { ...kubelet, url: `https:/${name}`, checksum: { algorithm: "sha256", value: sum("sha256", content) } };
    });
    await download({}, artifacts);
    expect(most).toBe(4);
  });

  it("goes on where it was cut", async () => {
    server.answers.set(path, [cutAfter(100_000), cutAfter(100_000)]);
    expect(await isContent(await download())).toBe(true);
    const [first, ...others] = gets().map((request) => Number(/bytes=(\d+)-$/.exec(request)?.[1]));
    expect(first).toBeNaN();
    expect(others).toHaveLength(2);
    // What the operating systems still held may be lost.
    expect(others[0]).toBeGreaterThan(0);
    expect(others[1]).toBeGreaterThan(others[0] ?? 0);
    expect(notices[0]).toContain("trying again");
  });

  it("goes on where an earlier run was cut", async () => {
    const stop = new AbortController();
    server.answers.set(path, [
      (_request, response, bytes) => {
        response.writeHead(200, { "content-length": bytes.length });
        response.write(bytes.subarray(0, 150_000));
      },
    ]);
    const cut = download({
      signal: stop.signal,
      onProgress: ({ bytesDone }) => {
        if (bytesDone === 150_000) stop.abort();
      },
    });
    await expect(cut).rejects.toThrow("abort");
    expect(await cached()).toEqual(["kubelet.part"]);
    expect(await isContent(await download())).toBe(true);
    expect(gets()).toEqual([`GET ${path}`, `GET ${path} bytes=150000-`]);
  });

  it("starts anew when the server cannot go on", async () => {
    const whole: typeof serve = (request, response, bytes) => {
      delete request.headers.range;
      serve(request, response, bytes);
    };
    server.answers.set(path, [cutAfter(100_000), whole]);
    expect(await isContent(await download())).toBe(true);
  });

  it("starts anew when the file has changed meanwhile", async () => {
    const other = fakeBinary({ bytes: 200_000, architecture: "arm64" });
    server.answers.set(path, [
      (request, response) => {
        cutAfter(100_000)(request, response, other);
      },
    ]);
    expect(await isContent(await download())).toBe(true);
  });

  it("starts anew when what an earlier run left is of another file", async () => {
    const folder = join(cache, "downloads", "dl.k8s.io/release/v1.36.2/bin/linux/amd64");
    await download();
    await rm(join(folder, "kubelet"));
    await writeFile(join(folder, "kubelet.part"), Buffer.alloc(1000, "x"));
    expect(await isContent(await download())).toBe(true);
    expect(notices).toEqual([]);
  });

  it("is tried again when the server has trouble", async () => {
    server.answers.set(path, [status(503), status(429), status(500)]);
    expect(await isContent(await download())).toBe(true);
    expect(notices).toHaveLength(3);
    expect(notices[0]).toContain("503");
  });

  it("asks for its checksum again, too", async () => {
    server.answers.set(`${path}.sha512`, [status(503)]);
    expect(await isContent(await download())).toBe(true);
    expect(notices).toHaveLength(1);
  });

  it("by two runs at the same time disturbs neither", async () => {
    server.answers.set(path, [cutAfter(1_000), cutAfter(2_000), cutAfter(3_000)]);
    const files = await Promise.all([download(), download(), download()]);
    for (const file of files) expect(await isContent(file)).toBe(true);
    expect((await cached()).sort()).toEqual(["kubelet", "kubelet.checksum"]);
  });

  it("that is damaged in the cache is made again, with a word about it", async () => {
    const file = await download();
    await writeFile(file, "damaged");
    expect(await isContent(await download())).toBe(true);
    expect(notices[0]).toContain(file);
  });

  it("from another server is not trusted for this one", async () => {
    const file = await download();
    await writeFile(file, fakeBinary());
    await writeFile(
      `${file}.checksum`,
      JSON.stringify({ algorithm: "sha512", value: sum("sha512", await readFile(file)), from: "http://other/kubelet" }),
    );
    expect(await isContent(await download())).toBe(true);
  });

  it("follows redirects, and takes the mirror's password along only to itself", async () => {
    const seen: (string | undefined)[] = [];
    const other = await startFileServer();
    other.files.set("/elsewhere", content);
    other.answers.set("/elsewhere", [
      (request, response, bytes) => {
        seen.push(request.headers.authorization);
        serve(request, response, bytes);
      },
    ]);
    server.answers.set(path, [
      (request, response) => {
        seen.push(request.headers.authorization);
        response.writeHead(302, { location: `${other.url}/elsewhere` }).end();
      },
    ]);
    await download({ mirror: server.url.replace("//", "//me:s%40cret@") });
    expect(seen).toEqual([`Basic ${Buffer.from("me:s@cret").toString("base64")}`, undefined]);
    await other.close();
  });
});

describe("a download that fails", () => {
  it("by a checksum that does not match deletes the file and names both sums", async () => {
    const wrong = Buffer.concat([content, Buffer.from("!")]);
    server.files.set(path, wrong);
    const { code, message, kind } = await fails();
    expect([code, kind]).toEqual(["CHECKSUM_MISMATCH", "environment"]);
    for (const part of [server.url, path, sum("sha512", content), sum("sha512", wrong)]) expect(message).toContain(part);
    expect(await cached()).toEqual([]);
    expect(gets()).toHaveLength(1);
  });

  it.each([
    ["text/html; charset=utf-8", "Sign in"],
    ["application/octet-stream", "<!DOCTYPE html><title>Sign in</title>"],
  ])("because there is a web page (%s) says so", async (type, page) => {
    server.answers.set(path, [(_, response) => response.writeHead(200, { "content-type": type }).end(page)]);
    const { code, message } = await fails();
    expect(code).toBe("NOT_A_BINARY");
    expect(message).toContain("web page");
    expect(await cached()).toEqual([]);
  });

  it("because there is a web page in place of the checksum says so", async () => {
    server.files.set(`${path}.sha512`, Buffer.from("<html>Sign in</html>"));
    expect((await fails()).code).toBe("NOT_A_BINARY");
  });

  it("because it has the right checksum but is no program says so", async () => {
    publish(Buffer.from("hello, this is text that is as long as the head of a program, and then some"));
    expect((await fails()).code).toBe("NOT_A_BINARY");
    expect(await cached()).toEqual([]);
  });

  it("because there is no such file names the URL, at once", async () => {
    server.files.delete(path);
    const { code, message } = await fails();
    expect(code).toBe("ARTIFACT_NOT_FOUND");
    expect(message).toContain(`${server.url}${path}`);
    expect(gets()).toHaveLength(1);
  });

  it("because nothing of a version is there names all of it", async () => {
    const artifacts = ["kubelet", "kubectl"].map((name): Artifact => {
      const no = `https://dl.k8s.io/no/${name}`;
      return { ...kubelet, name, url: no, checksum: [{ algorithm: "sha512", url: `${no}.sha512` }] };
    });
    const thrown: unknown = await download({}, artifacts).catch((error: unknown) => error);
    expect(String(thrown)).toMatch(/no\/kubelet\.sha512/);
    expect(String(thrown)).toMatch(/no\/kubectl\.sha512/);
  });

  it("because nothing can be reached is told once", async () => {
    const other = { ...kubelet, url: "https://dl.k8s.io/other", checksum: [{ algorithm: "sha512", url: "https://dl.k8s.io/o" }] };
    const nowhere = { mirror: "http://127.0.0.1:1" };
    const error: unknown = await download(nowhere, [kubelet, other as Artifact]).catch((thrown: unknown) => thrown);
    expect((error as TsdeployError).problems).toHaveLength(1);
  });

  it("because the server always cuts it gives up, and keeps what came for the next run", async () => {
    server.answers.set(path, Array.from({ length: 20 }, () => status(503)));
    expect(await fails()).toMatchObject({ code: "DOWNLOAD_FAILED", kind: "unreachable" });
    expect(gets()).toHaveLength(4);
  });

  it("because nobody answers says why", async () => {
    const { code, message, hint } = await fails({ mirror: "http://127.0.0.1:1" });
    expect(code).toBe("DOWNLOAD_FAILED");
    expect(message).toContain("ECONNREFUSED");
    expect(hint).toContain("--binaries");
  });

  it("for want of room is not begun", async () => {
    const { code, message } = await fails({ freeBytes: () => Promise.resolve(299_999) });
    expect(code).toBe("NO_SPACE");
    expect(message).toContain("1 MB");
    expect(gets()).toEqual([]);
  });

  it("because the disk is full on the way says so", () => {
    const full = Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
    expect(diskFault(cache, full)).toMatchObject({ kind: "environment", problems: [{ code: "NO_SPACE" }] });
  });

  it("because the cache may not be written says what to do", async () => {
    const file = join(cache, "file");
    await writeFile(file, "hello");
    const { code, hint } = await fails({ cache: join(file, "below") });
    expect(code).toBe("CACHE_UNWRITABLE");
    expect(hint).toContain("XDG_CACHE_HOME");
    await expect(makeWorkFolder(join(file, "below"))).rejects.toThrow("CACHE_UNWRITABLE");
  });

  it("because the caller stops ends at once", async () => {
    const stop = new AbortController();
    const abort = (): void => {
      stop.abort(new Error("stopped"));
    };
    server.answers.set(path, [abort]);
    await expect(download({ signal: stop.signal })).rejects.toThrow("stopped");
  });

  it("never shows a mirror's password", async () => {
    server.files.clear();
    const { message } = await fails({ mirror: server.url.replace("//", "//me:secret@") });
    expect(`${message ?? ""} ${notices.join()}`).not.toContain("secret");
  });
});

describe("proxies", () => {
  it("are used as the environment says, and are left out by NO_PROXY", async () => {
    const asked: string[] = [];
    const proxy = createServer((request, response) => {
      asked.push(`${request.method ?? ""} ${request.url ?? ""}`);
      serve(request, response, Buffer.from("by proxy"));
    });
    proxy.on("connect", (request, client) => {
      asked.push(`CONNECT ${request.url ?? ""}`);
      const target = connect(Number(new URL(server.url).port), "127.0.0.1", () => {
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        client.pipe(target).pipe(client);
      });
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const get = async (env: NodeJS.ProcessEnv, target: string) => {
      const client = openWebClient(env);
      const answer = await client.get(target, {}, AbortSignal.timeout(5_000)).catch(() => undefined);
      answer?.body.on("error", () => undefined).resume();
      await client.close();
    };
    await get({ HTTP_PROXY: address }, "http://mirror.example/file");
    await get({ https_proxy: address }, "https://dl.k8s.io/file");
    await get({ HTTP_PROXY: address, NO_PROXY: "mirror.example" }, "http://mirror.example/file");
    // Loopback is no other machine's.
    await get({ HTTP_PROXY: address }, `${server.url}${path}`);
    expect(asked).toEqual(["GET http://mirror.example/file", "CONNECT dl.k8s.io:443"]);
    expect(gets()).toHaveLength(1);
    proxy.closeAllConnections();
    proxy.close();
  });

  it("that are no URL are told without their value", () => {
    expect(() => openWebClient({ HTTP_PROXY: "::secret::" })).toThrow(/^PROXY_INVALID: [^:]*$/);
  });
});

describe("a file of checksums", () => {
  const [one, two] = ["1".repeat(64), "2".repeat(64)];

  it.each([
    [one, one],
    [`${one}\n`, one],
    [`${one.toUpperCase()}  etcd.tar.gz`, one.toLowerCase()],
    [`${two}  other.tar.gz\r\n${one} *./etcd.tar.gz\r\n`, one],
    [`${two}  other.tar.gz`, undefined],
    [`${one}\n${two}`, undefined],
    ["<html>", undefined],
    ["", undefined],
  ])("%j", (text, expected) => {
    expect(sumIn(text, "sha256", "etcd.tar.gz")).toBe(expected);
  });
});

describe("the cache", () => {
  it.each([
    [{ XDG_CACHE_HOME: "/c", HOME: "/h" }, "/c/tsdeploy"],
    [{ HOME: "/h" }, "/h/.cache/tsdeploy"],
    [{ XDG_CACHE_HOME: "relative", HOME: "/h" }, "/h/.cache/tsdeploy"],
  ])("of %j is %s", (env, expected) => {
    expect(cacheFolder(env)).toBe(expected);
  });

  it("loses what killed runs left unpacked, and keeps what others need now", async () => {
    const [now, old] = [await makeWorkFolder(cache), await makeWorkFolder(cache)];
    await utimes(old, 1, 1);
    const own = await makeWorkFolder(cache);
    expect((await readdir(cache)).sort()).toEqual([now, own].map((path) => basename(path)).sort());
  });
});
