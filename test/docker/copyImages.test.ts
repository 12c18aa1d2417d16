import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { type ContainerEngine, EngineError } from "../../src/docker/containerEngine.js";
import { copyImages, isSameImage } from "../../src/docker/copyImages.js";
import { TsdeployError } from "../../src/model/errors.js";
import { fakeImage } from "./fakeEngine.js";

const gone = new TsdeployError("unreachable", { code: "DOCKER_UNREACHABLE", message: "gone", hint: "Look." });

function copy(
  from: Partial<ContainerEngine>,
  to: Partial<ContainerEngine>,
  onBytes: (bytes: number) => void = () => undefined,
) {
  return copyImages(
    ["a:1"],
    { endpoint: "ssh://from", ...from } as ContainerEngine,
    { endpoint: "ssh://to", ...to } as ContainerEngine,
    { onBytes, signal: new AbortController().signal },
  );
}

/** Takes what comes, and fails with what that fails with, as an engine does. */
const takesAll = { loadImages: async (archive: Readable) => [await text(archive)] };

describe("images on their way", () => {
  it("are counted", async () => {
    const seen: number[] = [];
    const archive = () => Promise.resolve(Readable.from([Buffer.from("1234"), Buffer.from("56")]));
    await copy({ saveImages: archive }, takesAll, (bytes) => seen.push(bytes));
    expect(seen).toEqual([4, 6]);
  });

  it.each([
    ["refuses to give them", () => Promise.reject(new EngineError(404, "no such image"))],
    [
      "breaks off",
      () =>
        Promise.resolve(
          // eslint-disable-next-line @typescript-eslint/require-await -- a stream wants it
          Readable.from((async function* () {
            yield Buffer.from("12");
            throw new EngineError(0, "no such image");
          })()),
        ),
    ],
  ])("fail by the name of the first Docker if that %s", async (_what, saveImages) => {
    await expect(copy({ saveImages }, takesAll)).rejects.toMatchObject({
      problems: [{ code: "IMAGE_SAVE_FAILED", message: expect.stringMatching("ssh://from.*no such image") as string }],
    });
  });

  it.each([
    ["IMAGE_LOAD_FAILED", "failed", "unexpected EOF"],
    ["IMAGE_ARCHIVE_INVALID", "usage", "open /var/lib/docker/tmp/docker-import-1/repositories: no such file or directory"],
    ["DOCKER_DISK_FULL", "environment", "write /var/lib/docker/tmp/1: no space left on device"],
  ])("fail by the name of the second Docker if that refuses them: %s", async (code, kind, message) => {
    const archive = Readable.from([Buffer.alloc(10_000_000)]);
    const loadImages = () => Promise.reject(new EngineError(0, message));
    await expect(copy({ saveImages: () => Promise.resolve(archive) }, { loadImages })).rejects.toMatchObject({
      kind,
      problems: [{ code, message: expect.stringContaining("ssh://to") as string }],
    });
  });

  it("fail as Docker's connections do", async () => {
    await expect(copy({ saveImages: () => Promise.reject(gone) }, takesAll)).rejects.toBe(gone);
  });
});

describe("the same image", () => {
  const image = fakeImage("a:1", { labels: { a: "1", b: "2" } });

  it("is known by its id, or by what it is made of where each store has ids of its own", () => {
    expect(isSameImage(image, { ...image, layers: [] })).toBe(true);
    expect(isSameImage(image, { ...image, id: "sha256:other", labels: { b: "2", a: "1" }, sizeBytes: 7 })).toBe(true);
  });

  it.each([
    [{ layers: ["sha256:x"] }],
    [{ architecture: "arm64" }],
    [{ labels: {} }],
    [{ command: ["/pause"] }],
    [{ createdAt: "2027-01-01T00:00:00Z" }],
  ])("is not one with %j", (difference) => {
    expect(isSameImage(image, { ...image, id: "sha256:other", ...difference })).toBe(false);
  });

  it("is not any without layers", () => {
    expect(isSameImage({ ...image, layers: [] }, { ...image, id: "sha256:other", layers: [] })).toBe(false);
  });
});
