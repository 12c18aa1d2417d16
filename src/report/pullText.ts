import type { PullProgress } from "../docker/containerEngine.js";

const barWidth = 20;

/** `[########------------]  42 % of 260 MB, 3/7 layers`. */
export function pullText({ layersDone, layersTotal, bytesDone, bytesTotal }: PullProgress): string {
  const layers = `${layersDone}/${layersTotal} layers`;
  if (bytesTotal === 0) return layers;
  const fraction = Math.min(1, bytesDone / bytesTotal);
  const filled = Math.round(fraction * barWidth);
  const bar = "#".repeat(filled) + "-".repeat(barWidth - filled);
  const percent = String(Math.floor(fraction * 100)).padStart(3);
  return `[${bar}] ${percent} % of ${Math.ceil(bytesTotal / 1e6)} MB, ${layers}`;
}
