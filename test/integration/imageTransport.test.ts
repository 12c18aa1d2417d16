import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { connect, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { imageCopy } from "../../src/commands/imageCopy.js";
import { imageList } from "../../src/commands/imageList.js";
import { imageLoad } from "../../src/commands/imageLoad.js";
import { imageSave } from "../../src/commands/imageSave.js";
import { connectEngine } from "../../src/docker/connectEngine.js";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { RunContext } from "../../src/report/runContext.js";
import { secondNumber } from "./support/testMachine.js";

const run = promisify(execFile);
/** The Docker that has the image, and another of another release. */
const here = socketOf(process.env["TSDEPLOY_TEST_MACHINE"] ?? "4");
const there = socketOf(secondNumber);
/** A version that nobody has made, so that no other image can be meant. */
const version = "v1.30.99";
const reference = `tsdeploy/hyperkube:${version}`;
const layerBytes = 8_000_000;

let folder: string;
let archive: string;
let one: ContainerEngine;
let other: ContainerEngine;
let servers: Server[] = [];

function socketOf(machine: string): string {
  return `unix:///run/tsdeploy-machines/${machine}/docker.sock`;
}

async function docker(host: string, ...args: string[]): Promise<string> {
  return (await run("docker", ["-H", host, ...args])).stdout.trim();
}

beforeAll(async () => {
  const machines = [process.env["TSDEPLOY_TEST_MACHINE"] ?? "4", secondNumber].join(",");
  await run("scripts/dev/machines", ["up", "--only", machines]);
  folder = mkdtempSync(join(tmpdir(), "images-"));
  archive = join(folder, "whole.tar");
  one = await connectEngine({ dockerHost: here }, process.env);
  other = await connectEngine({ dockerHost: there }, process.env);
  writeFileSync(join(folder, "layer"), randomBytes(layerBytes));
  await run("tar", ["-C", folder, "-cf", join(folder, "layer.tar"), "layer"]);
  const labels = {
    "io.tsdeploy.image.pause": "/pause",
    "io.tsdeploy.image.cni": "/opt/cni/bin",
    "io.tsdeploy.image.etcd": "3.5.24",
    "io.tsdeploy.image.flannel": "0.28.9",
    "io.tsdeploy.image.coredns": "1.11.3",
    "org.opencontainers.image.version": version,
  };
  const changes = Object.entries(labels).flatMap(([name, value]) => ["--change", `LABEL ${name}=${value}`]);
  await docker(here, "import", ...changes, join(folder, "layer.tar"), reference);
  await imageSave(saving(archive), context());
}, 120_000);

beforeEach(async () => {
  await other.removeImage(reference);
});

afterEach(() => {
  for (const server of servers) server.close();
  servers = [];
});

afterAll(async () => {
  await Promise.all([one.removeImage(reference), other.removeImage(reference)]);
  await Promise.all([one.close(), other.close()]);
  rmSync(folder, { recursive: true });
});

const common = {
  output: "text",
  yes: false,
  verbose: false,
  k8sVersion: version,
  registryMirrors: {},
  pullTimeoutMs: 1e4,
  network: "flannel",
  dns: true,
} as const;

function saving(file: string) {
  return { ...common, dockerHost: here, file };
}

function copying(from = here, to = there) {
  return { ...common, dockerHost: from, to };
}

interface SeenContext extends RunContext {
  readonly events: readonly ReportEvent[];
}

function context(more: Partial<RunContext> = {}): SeenContext {
  const events: ReportEvent[] = [];
  const nobody = () => Promise.reject(new Error("nobody is there to answer"));
  return {
    report: (event) => events.push(event),
    signal: new AbortController().signal,
    env: process.env,
    isTTY: false,
    write: () => Promise.resolve(),
    writeError: () => Promise.resolve(),
    ask: nobody,
    askSecret: nobody,
    confirm: nobody,
    ...more,
    events,
  };
}

function refusal(kind: string, code: string, text: string) {
  return expect.objectContaining({
    kind,
    problems: [expect.objectContaining({ code, message: expect.stringContaining(text) as string })],
  }) as Error;
}

/** Another socket of a Docker, whose connections break after so many bytes in one direction. */
async function breaking(host: string, way: "to" | "from", bytes: number): Promise<string> {
  const path = join(folder, `${servers.length}.sock`);
  const server = createServer((client) => {
    const target = connect(host.replace("unix://", ""));
    let left = bytes;
    const [source, sink] = way === "to" ? [client, target] : [target, client];
    (way === "to" ? target : client).pipe(way === "to" ? client : target);
    source.on("data", (chunk: Buffer) => {
      sink.write(chunk.subarray(0, left));
      left -= chunk.length;
      if (left <= 0) {
        client.destroy();
        target.destroy();
      }
    });
    source.on("end", () => sink.end());
    for (const socket of [client, target]) socket.on("error", () => undefined);
  }).listen(path);
  servers.push(server);
  await once(server, "listening");
  return `unix://${path}`;
}

describe("image save and load", () => {
  it("bring an image from one Docker into another of another release", async () => {
    const seen = context();
    const { data, text } = await imageLoad({ ...common, dockerHost: there, file: archive }, seen);
    const contents = ["etcd 3.5.24", "flannel 0.28.9", "CoreDNS 1.11.3", "CNI", "pause"];
    expect(data).toMatchObject({ images: [{ reference, version, architecture: "amd64", contents }] });
    expect(text).toMatch(new RegExp(`^${there} has ${reference} now \\(Kubernetes ${version}, amd64, [89] MB\\)$`));
    const sizeBytes = statSync(archive).size;
    expect(seen.events.filter(({ kind }) => kind === "transfer-progress").at(-1)).toMatchObject({
      what: archive,
      bytesDone: sizeBytes,
      bytesTotal: sizeBytes,
    });
    const [saved, loaded] = await Promise.all([one.inspectImage(reference), other.inspectImage(reference)]);
    expect(loaded?.layers).toEqual(saved?.layers);
    expect(loaded?.labels).toEqual(saved?.labels);
    const { text: list } = await imageList({ ...common, dockerHost: there }, context());
    expect(list).toMatch(new RegExp(`^${reference} +${version} +amd64 +[89] MB +${contents.join(", ")} +20`, "m"));
  });

  it("write a file with the modes that files have, and leave nothing beside it", async () => {
    const umask = parseInt((await run("sh", ["-c", "umask"])).stdout, 8);
    expect(statSync(archive).mode & 0o777).toBe(0o666 & ~umask);
    expect(readdirSync(folder).sort()).toEqual(["layer", "layer.tar", "whole.tar"]);
  });

  it("take any archive that Docker does", async () => {
    const zipped = join(folder, "whole.tar.gz");
    await run("sh", ["-c", `gzip -1 <"$0" >"$1"`, archive, zipped]);
    await imageLoad({ ...common, dockerHost: there, file: zipped }, context());
    expect(await other.inspectImage(reference)).toBeDefined();
    rmSync(zipped);
  });
});

describe("image save", () => {
  it.each([
    ["a folder that is not there", () => join(folder, "nowhere", "x.tar"), "there is no folder"],
    ["a folder", () => folder, "it is a folder"],
    ["a device", () => "/dev/full", "it is not a regular file"],
    ["below a file", () => join(archive, "x.tar"), "not a directory"],
  ])("refuses %s before Docker is asked", async (_what, file, why) => {
    const options = { ...saving(file()), dockerHost: "unix:///nowhere.sock" };
    await expect(imageSave(options, context())).rejects.toEqual(refusal("usage", "FILE_UNWRITABLE", why));
  });

  it("asks before it overwrites a file", async () => {
    const file = join(folder, "mine.tar");
    writeFileSync(file, "mine");
    const questions: string[] = [];
    const answer = (yes: boolean) => (question: string) => {
      questions.push(question);
      return Promise.resolve(yes);
    };
    const no = imageSave(saving(file), context({ confirm: answer(false) }));
    await expect(no).rejects.toEqual(refusal("conflict", "FILE_EXISTS", file));
    expect(readFileSync(file, "utf8")).toBe("mine");
    await imageSave(saving(file), context({ confirm: answer(true) }));
    expect(statSync(file).size).toBe(statSync(archive).size);
    expect(questions).toEqual(Array(2).fill(`${file} is there already. Overwrite it?`));
    rmSync(file);
  });

  it("leaves nothing where there is no room, and says so", async () => {
    const small = join(folder, "small");
    mkdirSync(small);
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", small]);
    try {
      const full = imageSave(saving(join(small, "x.tar")), context());
      await expect(full).rejects.toEqual(refusal("environment", "DISK_FULL", join(small, "x.tar")));
      expect(readdirSync(small)).toEqual([]);
    } finally {
      await run("umount", [small]);
      rmSync(small, { recursive: true });
    }
  });

  it("keeps the old file if Docker is gone half-way", async () => {
    const file = join(folder, "old.tar");
    writeFileSync(file, "old");
    const dockerHost = await breaking(here, "from", layerBytes / 2);
    const save = imageSave({ ...saving(file), dockerHost }, context({ confirm: () => Promise.resolve(true) }));
    await expect(save).rejects.toEqual(refusal("unreachable", "DOCKER_UNREACHABLE", dockerHost));
    expect(readFileSync(file, "utf8")).toBe("old");
    expect(readdirSync(folder).filter((name) => name.includes("old.tar"))).toEqual(["old.tar"]);
    rmSync(file);
  });

  it("ends with Ctrl-C and leaves nothing", async () => {
    const file = join(folder, "stopped.tar");
    const stop = new AbortController();
    const report = (event: ReportEvent): void => {
      if (event.kind === "transfer-progress") stop.abort();
    };
    await expect(imageSave(saving(file), context({ report, signal: stop.signal }))).rejects.toThrow(/abort/i);
    expect(readdirSync(folder).filter((name) => name.includes("stopped"))).toEqual([]);
  });

  it("refuses an image by digest, whose name would be lost", async () => {
    const image = `example.com/hyperkube@sha256:${"0".repeat(64)}`;
    const save = imageSave({ ...saving(join(folder, "x.tar")), image }, context());
    await expect(save).rejects.toEqual(refusal("usage", "IMAGE_BY_DIGEST", image));
  });

  it("refuses an image of another architecture than asked", async () => {
    const options = { ...saving(join(folder, "x.tar")), image: reference, arch: "arm64" } as const;
    await expect(imageSave(options, context())).rejects.toEqual(refusal("environment", "IMAGE_ARCHITECTURE", "is for amd64"));
  });
});

describe("image load", () => {
  const load = (file: string) => imageLoad({ ...common, dockerHost: there, file }, context());

  it.each([
    ["a file that is not there", "nowhere.tar", undefined, "FILE_UNREADABLE", "there is no such file"],
    ["a folder", ".", undefined, "FILE_UNREADABLE", "it is a folder"],
    ["an empty file", "x", "", "IMAGE_ARCHIVE_INVALID", "it is empty"],
    ["text", "x", "#!/bin/sh\n", "IMAGE_ARCHIVE_INVALID", "not a tar archive"],
    ["a long text", "x", "<html>".repeat(1000), "IMAGE_ARCHIVE_INVALID", "not a tar archive"],
  ])("refuses %s before Docker is asked", async (_what, name, content, code, why) => {
    const file = join(folder, name);
    if (content !== undefined) writeFileSync(file, content);
    const options = { ...common, dockerHost: "unix:///nowhere.sock", file };
    await expect(imageLoad(options, context())).rejects.toEqual(refusal("usage", code, why));
  });

  it("refuses a tar archive without images", async () => {
    await expect(load(join(folder, "layer.tar"))).rejects.toEqual(
      refusal("usage", "IMAGE_ARCHIVE_INVALID", "a tar archive, but not one of images"),
    );
  });

  it("takes nothing of an archive that is cut", async () => {
    const cut = join(folder, "cut.tar");
    writeFileSync(cut, readFileSync(archive));
    truncateSync(cut, layerBytes / 2);
    await expect(load(cut)).rejects.toEqual(refusal("failed", "IMAGE_LOAD_FAILED", there));
    expect(await other.inspectImage(reference)).toBeUndefined();
    rmSync(cut);
  });
});

describe("image copy", () => {
  it("streams what is missing, and the second time nothing", async () => {
    const first = context();
    const { data, text } = await imageCopy(copying(), first);
    expect(data).toMatchObject({ from: here, to: there, images: [{ reference, copied: true }] });
    expect(text).toBe(`${there} has ${reference} now`);
    expect(first.events.some(({ kind }) => kind === "transfer-progress")).toBe(true);
    expect(await other.inspectImage(reference)).toBeDefined();

    const second = context();
    expect((await imageCopy(copying(), second)).text).toBe(`${there} has ${reference} already`);
    expect(second.events).toEqual([]);
  });

  it("goes by SSH", async () => {
    const env = { ...process.env, PATH: `/run/tsdeploy-machines/bin:${process.env["PATH"] ?? ""}` };
    const to = `ssh://root@machine-${secondNumber}`;
    expect((await imageCopy(copying(here, to), context({ env }))).text).toBe(`${to} has ${reference} now`);
    expect(await other.inspectImage(reference)).toBeDefined();
  });

  it("replaces another image of the same name", async () => {
    await docker(there, "tag", "tsdeploy/hyperkube:v1.20.2", reference);
    await imageCopy(copying(), context());
    const [from, to] = await Promise.all([one.inspectImage(reference), other.inspectImage(reference)]);
    expect(to?.layers).toEqual(from?.layers);
  });

  it("leaves nothing half there after Ctrl-C", async () => {
    const images = () => docker(there, "images", "--all", "--quiet");
    const before = await images();
    const stop = new AbortController();
    const report = (event: ReportEvent): void => {
      if (event.kind === "transfer-progress") stop.abort();
    };
    await expect(imageCopy(copying(), context({ report, signal: stop.signal }))).rejects.toThrow(/abort/i);
    expect(await other.inspectImage(reference)).toBeUndefined();
    expect(await images()).toBe(before);
  });

  it("tells which of the two was lost", async () => {
    const from = await breaking(here, "from", layerBytes / 2);
    await expect(imageCopy(copying(from), context())).rejects.toEqual(refusal("unreachable", "DOCKER_UNREACHABLE", from));
    expect(await other.inspectImage(reference)).toBeUndefined();

    const to = await breaking(there, "to", layerBytes / 2);
    await expect(imageCopy(copying(here, to), context())).rejects.toEqual(
      refusal("unreachable", "DOCKER_UNREACHABLE", to),
    );
    expect(await other.inspectImage(reference)).toBeUndefined();
  });

  it("refuses the Docker that it is from, and one that cannot be reached", async () => {
    await expect(imageCopy(copying(here, here), context())).rejects.toEqual(refusal("usage", "SAME_DOCKER", here));
    const nowhere = "unix:///nowhere/docker.sock";
    await expect(imageCopy(copying(here, nowhere), context())).rejects.toEqual(
      refusal("unreachable", "DOCKER_UNREACHABLE", nowhere),
    );
  });
});
