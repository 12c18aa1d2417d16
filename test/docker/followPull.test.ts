import { Readable } from "node:stream";
import { expect, it } from "vitest";
import { followPull } from "../../src/docker/followPull.js";
import type { PullProgress } from "../../src/model/dockerObjects.js";

async function follow(text: string, pieces = 7): Promise<PullProgress[]> {
  const seen: PullProgress[] = [];
  const chunks = text.match(new RegExp(`[^]{1,${String(pieces)}}`, "g")) ?? [];
  await followPull(Readable.from(chunks.map((chunk) => Buffer.from(chunk))), (progress) => {
    seen.push(progress);
  });
  return seen;
}

/** As Docker 20.10 sent it, shortened. */
const pull = `{"status":"Pulling from library/busybox","id":"latest"}\r
{"status":"Pulling fs layer","progressDetail":{},"id":"aaaa"}\r
{"status":"Pulling fs layer","progressDetail":{},"id":"bbbb"}\r
{"status":"Already exists","progressDetail":{},"id":"cccc"}\r
{"status":"Downloading","progressDetail":{"current":100,"total":1000},"progress":"[=>   ]","id":"aaaa"}\r
{"status":"Downloading","progressDetail":{"current":900,"total":1000},"progress":"[====>]","id":"aaaa"}\r
{"status":"Verifying Checksum","progressDetail":{},"id":"aaaa"}\r
{"status":"Download complete","progressDetail":{},"id":"aaaa"}\r
{"status":"Downloading","progressDetail":{"current":10,"total":20},"id":"bbbb"}\r
{"status":"Extracting","progressDetail":{"current":5,"total":4000},"id":"aaaa"}\r
{"status":"Pull complete","progressDetail":{},"id":"aaaa"}\r
{"status":"Pull complete","progressDetail":{},"id":"bbbb"}\r
{"status":"Digest: sha256:0123"}\r
{"status":"Status: Downloaded newer image for busybox:latest"}`;

it("sums up all layers", async () => {
  const seen = await follow(pull);
  expect(seen[0]).toEqual({ layersDone: 0, layersTotal: 1, bytesDone: 0, bytesTotal: 0 });
  expect(seen[4]).toEqual({ layersDone: 1, layersTotal: 3, bytesDone: 900, bytesTotal: 1000 });
  expect(seen[7]).toEqual({ layersDone: 1, layersTotal: 3, bytesDone: 1010, bytesTotal: 1020 });
  expect(seen.at(-1)).toEqual({ layersDone: 3, layersTotal: 3, bytesDone: 1020, bytesTotal: 1020 });
});

it.each([
  '{"errorDetail":{"message":"unexpected EOF"},"error":"unexpected EOF"}\n',
  '{"error":"unexpected EOF"}\n',
  '{"errorDetail":{"message":"unexpected EOF"}}\n',
])("ends with an error that is in the stream: %s", async (error) => {
  await expect(follow(`{"status":"Pulling fs layer","id":"aaaa"}\n${error}`)).rejects.toMatchObject({
    name: "EngineError",
    status: 0,
    message: "unexpected EOF",
  });
});
