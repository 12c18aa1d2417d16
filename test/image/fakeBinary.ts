import { randomBytes } from "node:crypto";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { buffer } from "node:stream/consumers";
import type { Architecture } from "../../src/model/options.js";

const machine = { amd64: 62, arm64: 183 };
const base = 0x400000;

/**
 * The head of a 64-bit ELF program whose writable segment has string variables of these values, as Go's linker lays
 * them down, followed by some bytes.
 */
export function fakeBinary(
  options: { architecture?: Architecture; strings?: readonly string[]; bytes?: number } = {},
): Buffer {
  const { architecture = "amd64", strings = [], bytes = 100 } = options;
  const texts = Buffer.from(strings.join("") + "\0");
  const padded = Buffer.concat([texts, Buffer.alloc((8 - (texts.length % 8)) % 8)]);
  const header = Buffer.alloc(64 + 2 * 56);
  header.write("\x7fELF\x02\x01\x01", "latin1");
  header.writeUInt16LE(2, 16);
  header.writeUInt16LE(machine[architecture], 18);
  header.writeBigUInt64LE(64n, 32);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(2, 56);
  const variables = Buffer.alloc(16 * strings.length);
  const segment = (index: number, flags: number, offset: number, size: number): void => {
    const at = 64 + 56 * index;
    header.writeUInt32LE(1, at);
    header.writeUInt32LE(flags, at + 4);
    header.writeBigUInt64LE(BigInt(offset), at + 8);
    header.writeBigUInt64LE(BigInt(base + offset), at + 16);
    header.writeBigUInt64LE(BigInt(size), at + 32);
    header.writeBigUInt64LE(BigInt(size), at + 40);
  };
  segment(0, 4, header.length, padded.length);
  segment(1, 6, header.length + padded.length, variables.length);
  let at = base + header.length;
  strings.forEach((text, index) => {
    variables.writeBigUInt64LE(BigInt(at), 16 * index);
    variables.writeBigUInt64LE(BigInt(text.length), 16 * index + 8);
    at += text.length;
  });
  return Buffer.concat([header, padded, variables, randomBytes(bytes)]);
}

/** A `.tar.gz` of these files. */
export async function fakeArchive(files: Readonly<Record<string, Buffer>>): Promise<Buffer> {
  const archive = pack();
  const bytes = buffer(archive);
  for (const [name, content] of Object.entries(files)) archive.entry({ name, mode: 0o755 }, content);
  archive.finalize();
  return gzipSync(await bytes);
}
