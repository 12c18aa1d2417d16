import { Readable, Writable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { checkedArchive, sendArchive } from "../../src/image/archiveFile.js";

async function tar(): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: "manifest.json" }, "[]");
  archive.finalize();
  return buffer(Readable.from(archive, { objectMode: false }));
}

function inPieces(content: Buffer, pieceLength: number): Readable {
  const starts = Array.from({ length: Math.ceil(content.length / pieceLength) }, (_, index) => index * pieceLength);
  const pieces = starts.map((start) => content.subarray(start, start + pieceLength));
  return Readable.from(pieces, { objectMode: false });
}

describe("an archive of images", () => {
  it.each([1, 511, 512, 100_000])("is passed on whole, in pieces of %i bytes", async (pieceLength) => {
    const content = await tar();
    expect(await buffer(await checkedArchive(inPieces(content, pieceLength), "x"))).toEqual(content);
  });

  it.each([
    ["gzip", "1f8b0800"],
    ["bzip2", "425a6839"],
    ["xz", "fd377a585a000004"],
    ["zstd", "28b52ffd00"],
  ])("may be compressed by %s", async (_name, start) => {
    const content = Buffer.from(start, "hex");
    expect(await buffer(await checkedArchive(inPieces(content, 3), "x"))).toEqual(content);
  });

  it("is refused if its first header is broken", async () => {
    const content = await tar();
    content[0] = 0x20;
    await expect(checkedArchive(inPieces(content, 100), "standard input")).rejects.toMatchObject({
      kind: "usage",
      problems: [{ code: "IMAGE_ARCHIVE_INVALID", message: expect.stringContaining("standard input") as string }],
    });
  });

  it("is refused if it is all zeros, as a disk that was never written", async () => {
    await expect(checkedArchive(inPieces(Buffer.alloc(2000), 100), "x")).rejects.toMatchObject({ kind: "usage" });
  });
});

describe("an archive that is sent to standard output", () => {
  it.each([
    ["EPIPE", "failed", "OUTPUT_CLOSED"],
    ["ENOSPC", "environment", "DISK_FULL"],
    ["EIO", "usage", "FILE_UNWRITABLE"],
  ])("and does not arrive whole is a failure: %s", async (code, kind, expected) => {
    const output = new Writable({
      write: (_chunk, _encoding, done) => {
        done(Object.assign(new Error(`write ${code}`), { code }));
      },
    });
    const sent = sendArchive(Readable.from([Buffer.alloc(10)]), output, new AbortController().signal);
    await expect(sent).rejects.toMatchObject({ kind, problems: [{ code: expected }] });
  });
});
