import type { Readable } from "node:stream";
import { z } from "zod";
import { EngineError, type PullProgress } from "./containerEngine.js";

const messageSchema = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).nullish(),
  error: z.string().optional(),
});

type PullMessage = z.infer<typeof messageSchema>;

interface Layer {
  done: boolean;
  bytesDone: number;
  bytesTotal: number;
}

/**
 * Follows the body of `POST /images/create`, JSON messages one a line, to its end.
 *
 * @throws EngineError with status 0 for an error inside the stream: the response's own status is 200 all the same
 */
export async function followPull(body: Readable, onProgress: (progress: PullProgress) => void): Promise<void> {
  const layers = new Map<string, Layer>();
  for await (const line of lines(body)) {
    const message = messageSchema.parse(JSON.parse(line));
    if (message.error !== undefined) {
      throw new EngineError(0, message.error);
    }
    if (addMessage(layers, message)) {
      onProgress(sum(layers));
    }
  }
}

/** @returns whether anything changed */
function addMessage(layers: Map<string, Layer>, { id, status = "", progressDetail }: PullMessage): boolean {
  const state = layerState(status);
  if (id === undefined || state === undefined) {
    return false;
  }
  const layer = layers.get(id) ?? { done: false, bytesDone: 0, bytesTotal: 0 };
  layers.set(id, layer);
  switch (state) {
    case "waiting":
      break;
    case "downloading":
      layer.bytesTotal = Math.max(layer.bytesTotal, progressDetail?.total ?? 0);
      layer.bytesDone = progressDetail?.current ?? layer.bytesDone;
      break;
    case "downloaded":
      layer.bytesDone = layer.bytesTotal;
      break;
    case "done":
      layer.bytesDone = layer.bytesTotal;
      layer.done = true;
      break;
  }
  return true;
}

/** Docker's words about a layer; other messages with an id are about the tag. */
function layerState(status: string): "waiting" | "downloading" | "downloaded" | "done" | undefined {
  switch (status) {
    case "Pulling fs layer":
    case "Waiting":
      return "waiting";
    case "Downloading":
      return "downloading";
    case "Verifying Checksum":
    case "Download complete":
    // Its details are about the unpacking.
    case "Extracting":
      return "downloaded";
    case "Pull complete":
    case "Already exists":
      return "done";
    default:
      return undefined;
  }
}

function sum(layers: ReadonlyMap<string, Layer>): PullProgress {
  const all = [...layers.values()];
  return {
    layersDone: all.filter((layer) => layer.done).length,
    layersTotal: all.length,
    bytesDone: all.reduce((bytes, layer) => bytes + layer.bytesDone, 0),
    bytesTotal: all.reduce((bytes, layer) => bytes + layer.bytesTotal, 0),
  };
}

async function* lines(body: Readable): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of body.setEncoding("utf8")) {
    const parts = (rest + String(chunk)).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((part) => part.trim() !== "");
  }
  if (rest.trim() !== "") {
    yield rest;
  }
}
