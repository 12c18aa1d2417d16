import { createHash } from "node:crypto";
import { mkdtemp, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { extract, type Header, pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { addLayer, type LayerRequest } from "../../src/image/addLayer.js";
import { makeLayer } from "../../src/image/layer.js";

type Files = Readonly<Record<string, string | Buffer>>;

async function tar(files: Files): Promise<Buffer> {
  const archive = pack();
  const bytes = buffer(archive);
  for (const [name, content] of Object.entries(files)) archive.entry({ name }, content);
  archive.finalize();
  return bytes;
}

async function untar(archive: Readable): Promise<{ files: Map<string, Buffer>; headers: Header[] }> {
  const entries = extract();
  archive.on("error", (error) => {
    entries.destroy(error);
  });
  archive.pipe(entries);
  const files = new Map<string, Buffer>();
  const headers: Header[] = [];
  for await (const entry of entries) {
    headers.push(entry.header);
    files.set(entry.header.name, await buffer(entry));
  }
  return { files, headers };
}

function digest(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "layer-"));
  await writeFile(join(folder, "kubelet"), Buffer.alloc(3_000_000, "kubelet"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

const front = { path: "hyperkube", source: { content: "#!/bin/sh\n" } };

function kubelet() {
  return { path: "usr/local/bin/kubelet", source: { file: join(folder, "kubelet") } };
}

async function request(more: Partial<LayerRequest> = {}): Promise<LayerRequest> {
  return {
    layer: await makeLayer([kubelet(), front]),
    reference: "tsdeploy/hyperkube:v1.36.2",
    architecture: "amd64",
    labels: { "io.tsdeploy.image.pause": "/pause" },
    command: ["/pause"],
    env: {},
    ...more,
  };
}

const base = {
  architecture: "amd64",
  os: "linux",
  created: "2026-01-02T03:04:05Z",
  container: "0123",
  docker_version: "20.10.24",
  config: {
    User: "nobody",
    Env: ["LANG=C.UTF-8", "PATH=/somewhere"],
    Entrypoint: ["/entry"],
    Cmd: ["bash"],
    Volumes: { "/var/lib/etcd": {} },
    Labels: { maintainer: "somebody", "io.tsdeploy.image.cni": "/old" },
  },
  rootfs: { type: "layers", diff_ids: ["sha256:aa"] },
  history: [{ created: "2026-01-02T03:04:05Z", created_by: "ADD" }, { created_by: "CMD", empty_layer: true }],
};

/** As Docker before version 25 saves. */
async function legacyArchive(config: object = base): Promise<Buffer> {
  return tar({
    "1234/VERSION": "1.0",
    "1234/json": '{"id":"1234"}',
    "1234/layer.tar": Buffer.alloc(5_000_000, "base"),
    "abcd.json": JSON.stringify(config),
    "manifest.json": JSON.stringify([{ Config: "abcd.json", RepoTags: null, Layers: ["1234/layer.tar"] }]),
    repositories: '{"debian":{"trixie":"1234"}}',
  });
}

/** As Docker from version 25 on saves, with layers as they were pulled, for two architectures. */
async function ociArchive(): Promise<{ archive: Buffer; layer: string }> {
  const blobs: Record<string, Buffer> = {};
  const blob = (content: Buffer | object): string => {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const name = `blobs/sha256/${digest(bytes)}`;
    blobs[name] = bytes;
    return name;
  };
  const layer = blob(gzipSync(Buffer.from("base")));
  const images = ["arm64", "amd64"].map((architecture) => ({
    Config: blob({ ...base, architecture }),
    RepoTags: ["debian:trixie"],
    Layers: [layer],
  }));
  const archive = await tar({
    ...blobs,
    "index.json": JSON.stringify({ schemaVersion: 2, manifests: [] }),
    "manifest.json": JSON.stringify(images),
    "oci-layout": '{"imageLayoutVersion":"1.0.0"}',
  });
  return { archive, layer };
}

async function added(archive: Buffer, more: Partial<LayerRequest> = {}) {
  // In pieces, as from a socket.
  const pieces = Array.from({ length: Math.ceil(archive.length / 65_536) }, (_, index) =>
    archive.subarray(65_536 * index, 65_536 * (index + 1)),
  );
  const { archive: out, layer } = addLayer(Readable.from(pieces), await request(more));
  const [{ files }, layerDigest] = await Promise.all([untar(out), layer]);
  const [image] = JSON.parse(String(files.get("manifest.json"))) as [
    { Config: string; RepoTags: string[]; Layers: string[] },
  ];
  const config = JSON.parse(String(files.get(image.Config))) as Record<string, unknown>;
  return { files, image, config, layerDigest };
}

describe("a layer", () => {
  it("is the same for the same files, whatever their order, times and modes", async () => {
    const one = await buffer((await makeLayer([kubelet(), front])).read());
    await utimes(join(folder, "kubelet"), 1, 2);
    const other = await buffer((await makeLayer([front, kubelet()])).read());
    expect(digest(other)).toBe(digest(one));
    // And on any machine: this is what a reviewed run gave.
    expect(digest(one)).toBe("052715f256877538cc629d4f2dee88f157c2f71057fbb304bac2f88a81f2215d");
  });

  it("has as many bytes as it says", async () => {
    const layer = await makeLayer([kubelet(), front]);
    expect(await buffer(layer.read())).toHaveLength(layer.size);
  });

  it("has its folders before what is in them, all owned by root and readable by everybody", async () => {
    const { headers } = await untar((await makeLayer([kubelet(), front])).read());
    expect(headers.map(({ name, type }) => `${type} ${name}`)).toEqual([
      "file hyperkube",
      "directory usr/",
      "directory usr/local/",
      "directory usr/local/bin/",
      "file usr/local/bin/kubelet",
    ]);
    const owner = { mode: 0o755, uid: 0, gid: 0, uname: "", gname: "", mtime: new Date(0), pax: null };
    for (const header of headers) expect(header).toMatchObject(owner);
  });

  it("fails when a file goes meanwhile", async () => {
    const layer = await makeLayer([kubelet()]);
    await rm(join(folder, "kubelet"));
    await expect(buffer(layer.read())).rejects.toThrow("ENOENT");
  });
});

describe("an archive of docker save", () => {
  it("in the old layout gets the layer, and a configuration that does not tell when", async () => {
    const { files, image, config, layerDigest } = await added(await legacyArchive());
    expect(image).toMatchObject({
      RepoTags: ["tsdeploy/hyperkube:v1.36.2"],
      Layers: ["1234/layer.tar", "tsdeploy/layer.tar"],
    });
    expect(image.Config).toBe(`${digest(files.get(image.Config) ?? Buffer.alloc(0))}.json`);
    expect(files.get("1234/layer.tar")?.equals(Buffer.alloc(5_000_000, "base"))).toBe(true);
    expect(layerDigest).toBe(`sha256:${digest(files.get("tsdeploy/layer.tar") ?? Buffer.alloc(0))}`);
    expect(config).toEqual({
      architecture: "amd64",
      os: "linux",
      created: "1970-01-01T00:00:00Z",
      config: {
        Env: ["LANG=C.UTF-8", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
        Entrypoint: null,
        Cmd: ["/pause"],
        Labels: { maintainer: "somebody", "io.tsdeploy.image.pause": "/pause" },
      },
      rootfs: { type: "layers", diff_ids: ["sha256:aa", layerDigest] },
      history: [...base.history, { created: "1970-01-01T00:00:00Z", created_by: "tsdeploy image build" }],
    });
  });

  it("in the new layout gets it as well, to the image of the architecture that was asked for", async () => {
    const { archive, layer } = await ociArchive();
    const { files, image, config } = await added(archive, { architecture: "arm64" });
    expect(image.Layers).toEqual([layer, "tsdeploy/layer.tar"]);
    expect(config["architecture"]).toBe("arm64");
    expect(files.get(layer)).toEqual(gzipSync(Buffer.from("base")));
    // Else Docker would go by what was in the archive before.
    expect([...files.keys()].filter((name) => !name.includes("/") && !/^[0-9a-f]{64}/.test(name))).toEqual([
      "manifest.json",
    ]);
  });

  it("keeps no history where the base's is not of its layers", async () => {
    const { config } = await added(await legacyArchive({ ...base, history: undefined }));
    expect(config).not.toHaveProperty("history");
  });

  it.each(["arm64", "s390x"])("without an image for %s is refused", async (architecture) => {
    await expect(added(await legacyArchive(), { architecture })).rejects.toThrow(/BASE_UNREADABLE.*amd64/s);
  });

  it("that is no such archive is refused", async () => {
    await expect(added(await tar({ "hello.txt": "hello" }))).rejects.toThrow("BASE_UNREADABLE");
  });

  it("that is cut ends what is made of it with an error, too", async () => {
    const archive = await legacyArchive();
    const saved = Readable.from([archive.subarray(0, 100_000)]);
    const { archive: out, layer } = addLayer(saved, await request());
    await expect(Promise.all([buffer(out), layer])).rejects.toThrow();
    await expect(layer).rejects.toThrow();
  });

  it("whose source fails ends with that error", async () => {
    const failing = Readable.from(
      (async function* () {
        yield (await legacyArchive()).subarray(0, 100_000);
        throw new Error("the daemon went away");
      })(),
    );
    const { archive, layer } = addLayer(failing, await request());
    layer.catch(() => undefined);
    await expect(buffer(archive)).rejects.toThrow("the daemon went away");
  });

  it("is not read faster than what comes out of it is taken", async () => {
    const big = await tar({ "1234/layer.tar": Buffer.alloc(50_000_000) });
    let taken = 0;
    const saved = new Readable({
      read() {
        this.push(big.subarray(taken, taken + 100_000));
        taken += 100_000;
      },
    });
    const { archive, layer } = addLayer(saved, await request());
    layer.catch(() => undefined);
    await new Promise((resolve) => archive.once("readable", resolve));
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(taken).toBeLessThan(5_000_000);
    archive.destroy();
  });
});
