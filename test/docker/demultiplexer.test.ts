import { expect, it } from "vitest";
import { decodeLog, Demultiplexer } from "../../src/docker/demultiplexer.js";

function frame(stream: number, payload: string): Buffer {
  const header = Buffer.from([stream, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(payload), 4);
  return Buffer.concat([header, Buffer.from(payload)]);
}

it.each([1, 3, 7, 8, 9, 1000])("finds the same in pieces of %i bytes", (size) => {
  const seen = { stdout: "", stderr: "" };
  const demultiplexer = new Demultiplexer((chunk, stream) => {
    seen[stream] += chunk.toString("latin1");
  });
  const all = Buffer.concat([frame(1, "one "), frame(2, "error"), frame(1, ""), frame(1, "x".repeat(300)), frame(2, "!")]);
  for (let start = 0; start < all.length; start += size) {
    demultiplexer.write(all.subarray(start, start + size));
  }
  expect(seen).toEqual({ stdout: `one ${"x".repeat(300)}`, stderr: "error!" });
});

it("decodes a log's characters over the bounds of frames", () => {
  const [first, second] = ["\xc3", "\xa4"].map((byte) => Buffer.concat([frame(1, "x").subarray(0, 8), Buffer.from(byte, "latin1")]));
  expect(decodeLog(Buffer.concat([first ?? Buffer.alloc(0), second ?? Buffer.alloc(0)]))).toBe("ä");
  expect(decodeLog(Buffer.alloc(0))).toBe("");
});

it("leaves the log of a container with a terminal as it is", () => {
  expect(decodeLog(Buffer.from("hello\r\nworld"))).toBe("hello\r\nworld");
});

it("does not go on when the stream is out of step", () => {
  const demultiplexer = new Demultiplexer(() => undefined);
  demultiplexer.write(frame(1, "fine"));
  expect(() => {
    demultiplexer.write(Buffer.from("not a frame"));
  }).toThrow("out of step");
});
