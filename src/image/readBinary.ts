import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";

/** What the first bytes of a file tell. */
export type FileKind =
  /** Its architecture by Go's name; `machine 243` for one that no image is built for. */
  | { readonly kind: "program"; readonly architecture: string }
  | { readonly kind: "gzip archive" | "script" | "web page" | "text or data" };

/** How many bytes `fileKind` needs. */
export const headLength = 64;

// e_machine of the ELF specification.
const machines: Readonly<Record<number, string>> = { 3: "386", 40: "arm", 62: "amd64", 183: "arm64" };

/** After a byte order mark, perhaps. */
const webPage = /^(\xef\xbb\xbf)?\s*<(!doctype|!--|\?xml|html|head|body)/i;

/** Tells programs, archives and web pages apart. */
export function fileKind(head: Buffer): FileKind {
  if (head.subarray(0, 4).equals(Buffer.from("\x7fELF", "latin1")) && head.length >= 20) {
    const machine = head.readUInt16LE(18);
    return { kind: "program", architecture: machines[machine] ?? `machine ${machine}` };
  }
  if (head[0] === 0x1f && head[1] === 0x8b) return { kind: "gzip archive" };
  const text = head.toString("latin1");
  if (text.startsWith("#!")) return { kind: "script" };
  return { kind: webPage.test(text) ? "web page" : "text or data" };
}

/** `fileKind` of a file on the disk. */
export async function readFileKind(path: string): Promise<FileKind> {
  return withFile(path, async (read) => fileKind(await read(0, headLength)));
}

/**
 * The values of a Go program's string variables that fit the pattern, such as the version that the linker put into it
 * (`-X …version.gitVersion=v1.36.2`), without running it: a string variable is an address and a length in the writable
 * segment. Texts elsewhere in the program, such as the versions of its dependencies, are not found.
 *
 * @returns none for what is no 64-bit little-endian ELF program, or is position-independent
 */
export async function goStrings(path: string, pattern: RegExp): Promise<ReadonlySet<string>> {
  return withFile(path, async (read) => {
    const found = new Set<string>();
    const segments = await loadedSegments(read);
    const data = segments.filter(({ writable }) => writable);
    for (const { offset, size } of data) {
      const bytes = await read(offset, size);
      for (let at = 0; at + 16 <= bytes.length; at += 8) {
        // Addresses and lengths of programs are below 4 GiB: the upper halves are zero.
        if (bytes.readUInt32LE(at + 4) !== 0 || bytes.readUInt32LE(at + 12) !== 0) continue;
        const address = bytes.readUInt32LE(at);
        const length = bytes.readUInt32LE(at + 8);
        if (length < shortest || length > longest) continue;
        const home = segments.find((segment) => address >= segment.address && address + length <= segment.end);
        if (!home) continue;
        const text = (await read(home.offset + address - home.address, length)).toString("latin1");
        if (pattern.test(text)) found.add(text);
      }
    }
    return found;
  });
}

/**
 * The version of the sources that a Go program was built from, as its build information has it.
 *
 * @returns such as `1.14.2`; undefined if it says none
 */
export async function moduleVersion(path: string, module: string): Promise<string | undefined> {
  const line = new RegExp(`\nmod\t${module.replaceAll(".", "\\.")}\tv(\\d+\\.\\d+\\.\\d+)[\t\n]`);
  let rest = "";
  for await (const chunk of createReadStream(path, { encoding: "latin1", highWaterMark: 1 << 20 })) {
    const text = rest + String(chunk);
    const version = line.exec(text)?.[1];
    if (version !== undefined) return version;
    rest = text.slice(-200);
  }
  return undefined;
}

const shortest = "1.2.3".length;
const longest = 80;

interface Segment {
  readonly writable: boolean;
  readonly offset: number;
  readonly size: number;
  readonly address: number;
  readonly end: number;
}

/** The segments that are loaded (PT_LOAD). */
async function loadedSegments(read: Read): Promise<Segment[]> {
  const header = await read(0, headLength);
  const is64BitLittleEndian = header.length === headLength && header[4] === 2 && header[5] === 1;
  if (!is64BitLittleEndian || fileKind(header).kind !== "program") return [];
  const tableOffset = Number(header.readBigUInt64LE(32));
  const entrySize = header.readUInt16LE(54);
  const table = await read(tableOffset, entrySize * header.readUInt16LE(56));
  const segments: Segment[] = [];
  for (let at = 0; entrySize >= 56 && at + entrySize <= table.length; at += entrySize) {
    if (table.readUInt32LE(at) !== 1) continue;
    const size = Number(table.readBigUInt64LE(at + 32));
    const address = Number(table.readBigUInt64LE(at + 16));
    segments.push({
      writable: (table.readUInt32LE(at + 4) & 2) !== 0,
      offset: Number(table.readBigUInt64LE(at + 8)),
      size,
      address,
      end: address + size,
    });
  }
  return segments;
}

/** @returns less than `length` bytes at the file's end */
type Read = (position: number, length: number) => Promise<Buffer>;

async function withFile<T>(path: string, use: (read: Read) => Promise<T>): Promise<T> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    return await use(async (position, length) => {
      const bytes = Buffer.alloc(Math.max(0, Math.min(length, size - position)));
      const { bytesRead } = await file.read(bytes, 0, bytes.length, position);
      return bytes.subarray(0, bytesRead);
    });
  } finally {
    await file.close();
  }
}
