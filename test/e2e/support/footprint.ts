import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./machine.js";
import { workFolder } from "./operator.js";

/** All that a person could find changed on a machine: lines of `section: what`. */
export type Footprint = readonly string[];

const script = readFileSync(new URL("footprint.sh", import.meta.url), "utf8");

export async function footprint(machine: Machine): Promise<Footprint> {
  return (await machine.sh(script)).split("\n").filter(Boolean);
}

/** `- line` for what is missing now, `+ line` for what is new. */
export function differences(before: Footprint, after: Footprint): string[] {
  const [old, now] = [new Set(before), new Set(after)];
  return [
    ...before.filter((line) => !now.has(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !old.has(line)).map((line) => `+ ${line}`),
  ];
}

/** Keeps what a machine was like before anything was done to it, for the last test file to compare with. */
export async function saveFootprint(machine: Machine): Promise<void> {
  mkdirSync(workFolder, { recursive: true });
  writeFileSync(path(machine), JSON.stringify(await footprint(machine)));
}

export function savedFootprint(machine: Machine): Footprint {
  if (!existsSync(path(machine))) throw new Error(`no footprint of ${machine.name} was saved`);
  return JSON.parse(readFileSync(path(machine), "utf8")) as Footprint;
}

function path(machine: Machine): string {
  return join(workFolder, `${machine.name}.json`);
}
