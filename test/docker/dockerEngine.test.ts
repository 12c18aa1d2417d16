import { PassThrough, Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { EngineError } from "../../src/docker/containerEngine.js";
import { type FakeDaemon, fakeDaemon } from "./fakeDaemon.js";

let daemon: FakeDaemon;

afterEach(async () => {
  await daemon.close();
});

const signal = new AbortController().signal;
const onProgress = (): void => undefined;

describe("a request to Docker", () => {
  it.each([
    ["20.10", { api: "1.41", min: "1.12" }, "v1.41"],
    ["26.1", { api: "1.45", min: "1.24" }, "v1.45"],
    ["28.5", { api: "1.51", min: "1.24" }, "v1.49"],
    ["29", { api: "1.52", min: "1.44" }, "v1.49"],
  ])("of %s is in the API version that both know", async (_docker, versions, expected) => {
    daemon = await fakeDaemon((_request, response) => response.end("[]"), versions);
    await daemon.engine.listImages([]);
    expect(daemon.requests[0]).toContain(`GET /${expected}/images/json`);
  });

  it("for an image of another platform says so", async () => {
    daemon = await fakeDaemon((_request, response) => response.end('{"status":"Pull complete","id":"a"}'));
    await daemon.engine.pullImage("debian:13", { onProgress, signal, platform: "linux/arm64" });
    await daemon.engine.pullImage("debian:13", { onProgress, signal });
    expect(daemon.requests).toEqual([
      "POST /v1.41/images/create?fromImage=docker.io/library/debian&tag=13&platform=linux/arm64",
      "POST /v1.41/images/create?fromImage=docker.io/library/debian&tag=13",
    ]);
  });

  it("for an archive names all images, and gives it as it comes", async () => {
    const archive = Buffer.concat([Buffer.from("layers"), Buffer.alloc(1024)]);
    daemon = await fakeDaemon((_request, response) => response.end(archive));
    expect(await buffer(await daemon.engine.saveImages(["a:1", "b.example.com/c:2"]))).toEqual(archive);
    expect(daemon.requests).toEqual(["GET /v1.41/images/get?names=a:1&names=b.example.com/c:2"]);
  });

  it("for an archive whose connection breaks ends with where that was", async () => {
    daemon = await fakeDaemon((_request, response) => {
      response.write("half of it", () => response.destroy());
    });
    await expect(buffer(await daemon.engine.saveImages(["a:1"]))).rejects.toMatchObject({
      problems: [{ code: "DOCKER_UNREACHABLE", message: expect.stringContaining("unix:///fake.sock") as string }],
    });
  });

  it("that brings an archive sends all of it", async () => {
    let sent = "";
    daemon = await fakeDaemon((request, response) => {
      void text(request).then((body) => {
        sent = body;
        response.end('{"stream":"Loaded image: a:1\\n"}\n');
      });
    });
    expect(await daemon.engine.loadImages(Readable.from(["one ", "two"]))).toEqual(["a:1"]);
    expect(sent).toBe("one two");
    expect(daemon.requests).toEqual(["POST /v1.41/images/load?quiet=1"]);
  });

  it("that brings an archive ends with what that ends with, and is cut", async () => {
    let wasCut: Promise<unknown> | undefined;
    daemon = await fakeDaemon((request) => {
      request.resume();
      wasCut = new Promise((resolve) => request.once("error", resolve));
    });
    const broken = new EngineError(0, "the other Docker is gone");
    const archive = Readable.from(
      (async function* () {
        yield "half";
        await new Promise((resolve) => setImmediate(resolve));
        throw broken;
      })(),
    );
    await expect(daemon.engine.loadImages(archive)).rejects.toBe(broken);
    // Undefined if the stream broke before the request began.
    await wasCut;
  });

  it("that was to bring an archive which has ended by then says how", async () => {
    daemon = await fakeDaemon((request) => request.resume());
    const broken = new EngineError(0, "the other Docker is gone");
    const archive = new PassThrough().on("error", () => undefined).destroy(broken);
    await new Promise((resolve) => archive.once("close", resolve));
    await expect(daemon.engine.loadImages(archive)).rejects.toBe(broken);
  });

  it("that builds sends the context, the name, the platform, and tells each line", async () => {
    daemon = await fakeDaemon((request, response) => {
      request.resume().on("end", () => response.end('{"stream":"Step 1/1 : FROM scratch\\n"}\n'));
    });
    const lines: string[] = [];
    const onLine = (line: string): void => void lines.push(line);
    const buildArgs = { http_proxy: "http://lab:1" };
    const options = { tag: "tsdeploy/hyperkube:v1.36.2", platform: "linux/arm64", buildArgs, onLine, signal };
    await daemon.engine.buildImage(Readable.from(["context"]), options);
    expect(lines).toEqual(["Step 1/1 : FROM scratch"]);
    expect(daemon.requests).toEqual([
      'POST /v1.41/build?t=tsdeploy/hyperkube:v1.36.2&forcerm=true&platform=linux/arm64&buildargs={"http_proxy":"http://lab:1"}',
    ]);
  });

  it("that names an image has name and tag apart", async () => {
    daemon = await fakeDaemon((_request, response) => response.writeHead(201).end());
    await daemon.engine.tagImage("a:1", "registry.example.com:5000/b:2");
    expect(daemon.requests).toEqual(["POST /v1.41/images/a:1/tag?repo=registry.example.com:5000/b&tag=2"]);
  });

  it("that takes a name away is content if it is gone already, and not if a container is of it", async () => {
    let status = 404;
    daemon = await fakeDaemon((_request, response) => response.writeHead(status).end('{"message":"because"}'));
    await daemon.engine.removeImage("a:1");
    status = 409;
    await expect(daemon.engine.removeImage("a:1")).rejects.toMatchObject({ status: 409, message: "because" });
  });

  it("names no image that is none", async () => {
    daemon = await fakeDaemon((_request, response) => response.end());
    for (const ask of [
      () => daemon.engine.saveImages(["a:1", "../b"]),
      () => daemon.engine.removeImage("a b"),
      () => daemon.engine.tagImage("a:1", "UPPER"),
    ]) {
      await expect(ask()).rejects.toMatchObject({ problems: [{ code: "IMAGE_REFERENCE_INVALID" }] });
    }
    expect(daemon.requests).toEqual([]);
  });
});

describe("how a container ended", () => {
  const state = { Running: false, ExitCode: 255, StartedAt: "2026-01-01T00:00:01.5Z", FinishedAt: "2026-01-01T00:01:48.25Z" };
  const details = (more: object): string => JSON.stringify({ State: { ...state, ...more } });
  const kill = (signal: string): string => JSON.stringify({ Action: "kill", Actor: { Attributes: { signal } } });

  it("is by signals, if the daemon remembers that some were sent in that life", async () => {
    daemon = await fakeDaemon((request, response) =>
      response.end(request.url?.includes("/events") === true ? `${kill("15")}\n${kill("9")}\n` : details({})),
    );
    expect(await daemon.engine.containerEnd("a")).toEqual({ exitCode: 255, ranMs: 106_750, signals: [15, 9] });
    expect(daemon.requests[1]).toContain("since=1767225601&until=1767225710");
    expect(daemon.requests[1]).toContain('filters={"container":["a"],"event":["kill"]}');
  });

  it("is by itself, if none was", async () => {
    daemon = await fakeDaemon((request, response) =>
      response.end(request.url?.includes("/events") === true ? "" : details({ ExitCode: 1 })),
    );
    expect(await daemon.engine.containerEnd("a")).toEqual({ exitCode: 1, ranMs: 106_750, signals: [] });
  });

  it("cannot be told when the connection breaks, which is said as for any other request", async () => {
    daemon = await fakeDaemon((request, response) => {
      if (request.url?.includes("/events") === true) response.write(kill("15"), () => response.destroy());
      else response.end(details({}));
    });
    await expect(daemon.engine.containerEnd("a")).rejects.toMatchObject({ problems: [{ code: "DOCKER_UNREACHABLE" }] });
  });

  it("cannot be told while it runs, before it ran, or when it is gone", async () => {
    for (const more of [{ Running: true }, { FinishedAt: "0001-01-01T00:00:00Z" }]) {
      daemon = await fakeDaemon((_request, response) => response.end(details(more)));
      expect(await daemon.engine.containerEnd("a")).toBeUndefined();
      await daemon.close();
    }
    daemon = await fakeDaemon((_request, response) => response.writeHead(404).end('{"message":"no such container"}'));
    expect(await daemon.engine.containerEnd("a")).toBeUndefined();
  });
});
