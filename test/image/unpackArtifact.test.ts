import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Artifact, ArtifactContents } from "../../src/image/artifacts.js";
import { unpackArtifact } from "../../src/image/unpackArtifact.js";
import { fakeArchive, fakeBinary } from "./fakeBinary.js";

let folder: string;
const [kubelet, other] = [fakeBinary({ bytes: 5_000 }), fakeBinary()];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "unpack-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Path in the image -> content. */
async function unpack(archive: Buffer, contents: ArtifactContents): Promise<Record<string, Buffer>> {
  await writeFile(join(folder, "file"), archive);
  const artifact: Artifact = { name: "it", url: "https://dl.k8s.io/file", checksum: [], contents };
  const files = await unpackArtifact(artifact, join(folder, "file"), join(folder, "out"));
  const read = files.map(async ({ path, source }) => {
    if (!("file" in source)) throw new Error("no file");
    return [path, await readFile(source.file)] as const;
  });
  return Object.fromEntries(await Promise.all(read));
}

const members = { "kubernetes/server/bin/kubelet": "usr/local/bin/kubelet" };

it("takes a program as it is", async () => {
  expect(await unpack(kubelet, { kind: "program", target: "usr/local/bin/kubelet" })).toEqual({
    "usr/local/bin/kubelet": kubelet,
  });
});

it("takes what is wanted of an archive, wherever it lies", async () => {
  const archive = await fakeArchive({
    "./kubernetes/README": Buffer.from("hello"),
    "./kubernetes/server/bin/kubeadm": other,
    "./kubernetes/server/bin/kubelet": kubelet,
  });
  expect(await unpack(archive, { kind: "archive", members })).toEqual({ "usr/local/bin/kubelet": kubelet });
});

it("takes what is wanted of an archive in an archive", async () => {
  const inner = await fakeArchive({ "kubernetes/server/bin/kubelet": kubelet });
  const archive = await fakeArchive({
    "kubernetes/server/inner.tar.gz": inner,
    // Of the same name, in the wrong place.
    "kubernetes/server/bin/kubelet": other,
    "kubernetes/version": Buffer.from("v1.3.6"),
  });
  const contents = { kind: "archive", inner: "kubernetes/server/inner.tar.gz", members } as const;
  expect(await unpack(archive, contents)).toEqual({ "usr/local/bin/kubelet": kubelet });
});

it("takes all programs of a folder, and nothing else", async () => {
  const archive = await fakeArchive({
    "./": Buffer.alloc(0),
    "./bridge": kubelet,
    "./host-local": other,
    "./LICENSE": Buffer.from("hello"),
    "./README.md": Buffer.from("hello"),
    "../../../etc/passwd": Buffer.from("hello"),
  });
  expect(Object.keys(await unpack(archive, { kind: "folder", target: "cni" })).sort()).toEqual([
    "cni/bridge",
    "cni/host-local",
  ]);
});

it("tells what an archive does not have", async () => {
  const archive = await fakeArchive({ "kubernetes/server/bin/kubeadm": other });
  await expect(unpack(archive, { kind: "archive", members })).rejects.toThrow(
    /ARCHIVE_UNFIT: .* it, .* it holds no kubernetes\/server\/bin\/kubelet/,
  );
  await expect(unpack(archive, { kind: "archive", inner: "other.tar.gz", members })).rejects.toThrow("ARCHIVE_UNFIT");
});

it("tells when an archive is broken", async () => {
  const archive = await fakeArchive({ "kubernetes/server/bin/kubelet": kubelet });
  await expect(unpack(archive.subarray(0, 2_500), { kind: "archive", members })).rejects.toThrow("ARCHIVE_UNFIT");
  await expect(unpack(Buffer.from("hello"), { kind: "archive", members })).rejects.toThrow("ARCHIVE_UNFIT");
});
