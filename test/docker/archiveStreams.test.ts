import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/docker/containerEngine.js";
import { followBuild } from "../../src/docker/followBuild.js";
import { followLoad } from "../../src/docker/followLoad.js";
import { WholeArchive } from "../../src/docker/wholeArchive.js";

/** A body in pieces that have nothing to do with its lines. */
function body(text: string | Buffer, pieceLength = 7): Readable {
  const bytes = Buffer.from(text);
  const pieces = Array.from({ length: Math.ceil(bytes.length / pieceLength) }, (_, index) =>
    bytes.subarray(index * pieceLength, (index + 1) * pieceLength),
  );
  return Readable.from(pieces, { objectMode: false });
}

describe("a load", () => {
  it("tells what it brought, by name or id", async () => {
    // As Docker 20.10 to 28.5 said it.
    const said = [
      { stream: "The image tsdeploy/hyperkube:v1.36.2 already exists, renaming the old one with ID sha256:12 to empty string\n" },
      { status: "Loading layer", progressDetail: { current: 1, total: 2 }, id: "abc" },
      { stream: "Loaded image: tsdeploy/hyperkube:v1.36.2\n" },
      { stream: "Loaded image ID: sha256:ab\n" },
    ];
    const text = said.map((message) => JSON.stringify(message)).join("\r\n");
    expect(await followLoad(body(text))).toEqual(["tsdeploy/hyperkube:v1.36.2", "sha256:ab"]);
  });

  it("ends with an error that is in the stream", async () => {
    const text = '{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}\n';
    await expect(followLoad(body(text))).rejects.toMatchObject({ name: "EngineError", message: "unexpected EOF" });
  });
});

describe("a build", () => {
  const steps = ["Step 1/2 : FROM debian", "\n", " ---> 12ab\n", "Step 2/2 : RUN make", "\n", "make: *** no rule\n"];
  const text = steps.map((stream) => JSON.stringify({ stream })).join("\r\n");

  it("is told line by line, a base's pull without its progress", async () => {
    const lines: string[] = [];
    const pull = [{ status: "Pulling from debian", id: "13" }, { status: "Digest: sha256:12" }, { status: "Downloading", id: "ab" }];
    await followBuild(body(`${pull.map((message) => JSON.stringify(message)).join("\n")}\n${text}`), (line) => lines.push(line));
    expect(lines).toEqual([
      "Digest: sha256:12",
      "Step 1/2 : FROM debian",
      " ---> 12ab",
      "Step 2/2 : RUN make",
      "make: *** no rule",
    ]);
  });

  it("that fails ends with its last lines", async () => {
    const error = JSON.stringify({ error: "The command returned a non-zero code: 2" });
    const build = followBuild(body(`${text}\n${error}`), () => undefined);
    await expect(build).rejects.toThrow(
      new EngineError(
        0,
        "The command returned a non-zero code: 2\nStep 1/2 : FROM debian\n ---> 12ab\nStep 2/2 : RUN make\nmake: *** no rule",
      ),
    );
  });
});

describe("an archive of images", () => {
  const archive = Buffer.concat([Buffer.from("content"), Buffer.alloc(1024)]);
  const whole = (content: Buffer, pieceLength: number) => buffer(body(content, pieceLength).pipe(new WholeArchive()));

  it.each([1, 100, 5000])("that ends as tar does is passed on, in pieces of %i bytes", async (pieceLength) => {
    expect(await whole(archive, pieceLength)).toEqual(archive);
  });

  it("that is cut is an error at its end", async () => {
    await expect(whole(archive.subarray(0, 500), 100)).rejects.toMatchObject({
      name: "EngineError",
      message: "the archive of images ended half-way",
    });
    await expect(whole(Buffer.alloc(0), 100)).rejects.toMatchObject({ name: "EngineError" });
  });

  it("that Docker could not go on with is an error with its words", async () => {
    const message = JSON.stringify({ errorDetail: { message: "write: no space" }, error: "write: no space" });
    const broken = Buffer.concat([Buffer.alloc(2000, "x"), Buffer.from(`${message}\r\n`)]);
    await expect(whole(broken, 100)).rejects.toMatchObject({ name: "EngineError", message: "write: no space" });
  });
});
