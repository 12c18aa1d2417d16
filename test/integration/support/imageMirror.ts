import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { mkdir, readdir, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

export interface ImageMirror {
  readonly url: string;
  /** `GET /path`, as they came. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Lays release files down as the projects publish them, and serves them on loopback. */
export class MirrorFolder {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** A program that is a release file by itself, with its SHA-512 beside it. */
  async addProgram(path: string, file: string): Promise<void> {
    const target = await this.#at(path);
    await symlink(file, target);
    await writeFile(`${target}.sha512`, await sum(file, "sha512"));
  }

  /** An archive of the files of a folder; `top` is what their paths in it begin with. */
  async addArchive(path: string, folder: string, top: string): Promise<void> {
    const target = await this.#at(path);
    const names = await readdir(folder);
    const rename = `s,^,${top},`;
    await run("tar", ["-C", folder, "--use-compress-program=gzip -1", "--transform", rename, "-chf", target, ...names]);
    await writeFile(`${target}.sha512`, `${await sum(target, "sha512")}  ${path.split("/").at(-1) ?? ""}\n`);
    await writeFile(`${target}.sha256`, `${await sum(target, "sha256")}  ${path.split("/").at(-1) ?? ""}\n`);
    await writeFile(
      join(dirname(target), "SHA256SUMS"),
      `${"0".repeat(64)}  other.tar.gz\n${await sum(target, "sha256")}  ${path.split("/").at(-1) ?? ""}\n`,
    );
  }

  async serve(): Promise<ImageMirror> {
    const requests: string[] = [];
    const server = createServer((request, response) => {
      const { method = "", url = "" } = request;
      requests.push(`${method} ${url}`);
      const file = join(this.#folder, url);
      stat(file)
        .then(async ({ size }) => {
          response.writeHead(200, { "content-length": size, "content-type": "application/octet-stream" });
          if (method === "HEAD") response.end();
          else await pipeline(createReadStream(file, { highWaterMark: 1 << 20 }), response);
        })
        .catch(() => response.writeHead(404).end());
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    return {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      requests,
      close: async () => {
        server.closeAllConnections();
        server.close();
        await once(server, "close");
      },
    };
  }

  async #at(path: string): Promise<string> {
    const target = join(this.#folder, path);
    await mkdir(dirname(target), { recursive: true });
    return target;
  }
}

async function sum(file: string, algorithm: "sha256" | "sha512"): Promise<string> {
  const hash = createHash(algorithm);
  for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash.digest("hex");
}
