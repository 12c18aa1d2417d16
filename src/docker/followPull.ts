import type { Readable } from "node:stream";
import type { PullProgress } from "../model/dockerObjects.js";
import { type EngineMessage, messageStream } from "./messageStream.js";

interface Layer {
  done: boolean;
  bytesDone: number;
  bytesTotal: number;
}

/** Follows the body of `POST /images/create` to its end. @throws EngineError as `messageStream` does */
export async function followPull(body: Readable, onProgress: (progress: PullProgress) => void): Promise<void> {
  const layers = new Map<string, Layer>();
  for await (const message of messageStream(body)) {
    if (addMessage(layers, message)) {
      onProgress(sum(layers));
    }
  }
}

/** @returns whether anything changed */
function addMessage(layers: Map<string, Layer>, { id, status = "", progressDetail }: EngineMessage): boolean {
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
