import type { PullProgress } from "../model/dockerObjects.js";
import { progressBar } from "./progressBar.js";

/** `[########------------]  42 % of 260 MB, 3/7 layers`. */
export function pullText({ layersDone, layersTotal, bytesDone, bytesTotal }: PullProgress): string {
  const layers = `${layersDone}/${layersTotal} layers`;
  return bytesTotal === 0 ? layers : `${progressBar(bytesDone, bytesTotal)}, ${layers}`;
}
