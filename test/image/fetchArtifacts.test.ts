import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Artifact } from "../../src/image/artifacts.js";
import { fetchArtifacts } from "../../src/image/fetchArtifacts.js";
import { fakeArchive, fakeBinary } from "./fakeBinary.js";
import { type FileServer, startFileServer } from "./fileServer.js";

let server: FileServer;
let folder: string;

beforeEach(async () => {
  server = await startFileServer();
  folder = await mkdtemp(join(tmpdir(), "fetch-"));
});

afterEach(async () => {
  await server.close();
  await rm(folder, { recursive: true });
});

const kubelet = artifact("kubelet", { kind: "program", target: "usr/local/bin/kubelet" });
const coredns = artifact("coredns", { kind: "archive", members: { coredns: "usr/local/bin/coredns" } });

function artifact(name: string, contents: Artifact["contents"]): Artifact {
  const url = `https://example.com/${name}`;
  return { name, url, checksum: [{ algorithm: "sha256", url: `${url}.sha256` }], contents };
}

function publish(name: string, content: Buffer, sum = createHash("sha256").update(content).digest("hex")): void {
  server.files.set(`/example.com/${name}`, content);
  server.files.set(`/example.com/${name}.sha256`, Buffer.from(sum));
}

async function fetch(architecture: "amd64" | "arm64" = "amd64") {
  const { files, failed } = await fetchArtifacts(
    { needed: [kubelet], attempted: [coredns] },
    join(folder, "work"),
    {
      architecture,
      mirror: server.url,
      cache: join(folder, "cache"),
      env: {},
      report: () => undefined,
      signal: new AbortController().signal,
    },
  );
  return { paths: files.map(({ path }) => path), failed };
}

describe("a file that an image can do without", () => {
  it("comes with the others", async () => {
    publish("kubelet", fakeBinary());
    publish("coredns", await fakeArchive({ coredns: fakeBinary() }));
    expect(await fetch()).toEqual({ paths: ["usr/local/bin/kubelet", "usr/local/bin/coredns"], failed: new Map() });
  });

  it("is left out where the server does not have it", async () => {
    publish("kubelet", fakeBinary());
    const { paths, failed } = await fetch();
    expect(paths).toEqual(["usr/local/bin/kubelet"]);
    expect([...failed]).toEqual([["coredns", expect.stringContaining("example.com/coredns.sha256 (status 404)")]]);
  });

  it("is no reason to take another file for it", async () => {
    publish("kubelet", fakeBinary());
    publish("coredns", await fakeArchive({ coredns: fakeBinary() }), "0".repeat(64));
    await expect(fetch()).rejects.toMatchObject({ problems: [{ code: "CHECKSUM_MISMATCH" }] });
    publish("coredns", await fakeArchive({ coredns: fakeBinary({ architecture: "arm64" }) }));
    await expect(fetch()).rejects.toMatchObject({ problems: [{ code: "BINARY_ARCHITECTURE" }] });
  });

  it("is not asked for when one that is needed is not there", async () => {
    await expect(fetch()).rejects.toMatchObject({ problems: [{ code: "ARTIFACT_NOT_FOUND" }] });
    expect(server.requests.filter((request) => request.includes("coredns"))).toEqual([]);
  });
});
