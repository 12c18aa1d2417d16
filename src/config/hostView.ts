import type { ConfigFile } from "./configFile.js";
import type { OptionRow } from "./optionTable.js";
import { isMap, type RawValue } from "./reader.js";

/** One of `hosts`, as it was written. */
export interface HostEntry {
  readonly index: number;
  readonly values: Readonly<Record<string, RawValue>>;
}

/** Keys that a file gives to `worker`, and a run on all hosts finds out by itself. */
export const foundKeys: readonly string[] = ["master", "tokenFile"];

/** Whether hosts of one file may differ in this option. */
export function isOfHost({ key, inFile, commands, group }: OptionRow): boolean {
  return inFile && commands.includes("worker") && (group === "Node" || group === "Cluster") && !foundKeys.includes(key);
}

/** Options that are maps: a host's own keys are added to the file's. Of all others a host's own has the whole say. */
const merged: readonly string[] = ["nodeLabels", "extraArgs", "registryMirrors"];

/** The file as one of its hosts sees it: the host's own options over those that are beside `hosts`. */
export function hostView(file: ConfigFile, { index, values: own }: HostEntry): ConfigFile {
  const shared = Object.fromEntries([...file.values].filter(([key]) => key !== "hosts"));
  const values = new Map(Object.entries(shared));
  for (const [key, value] of Object.entries(own)) {
    const all = shared[key];
    values.set(key, all !== undefined && merged.includes(key) ? merge(all, value) : value);
  }
  return {
    path: file.path,
    values,
    problems: [],
    locate: (at, aboutKey) => {
      const [key = ""] = at;
      if (holds(own, at) || (!holds(shared, at) && key in own)) return file.locate(["hosts", index, ...at], aboutKey);
      return key in shared ? file.locate(at, aboutKey) : file.locate(["hosts", index]);
    },
  };
}

/** Maps key by key, to any depth; else the second. */
function merge(one: RawValue, other: RawValue): RawValue {
  if (!isMap(one) || !isMap(other)) return other;
  const keys = new Set([...Object.keys(one), ...Object.keys(other)]);
  return Object.fromEntries(
    [...keys].map((key): [string, RawValue] => {
      const [first, second] = [one[key], other[key]];
      return [key, first === undefined ? (second ?? "") : second === undefined ? first : merge(first, second)];
    }),
  );
}

/** Whether there is something at this path. */
function holds(value: RawValue, path: readonly (string | number)[]): boolean {
  const [first, ...rest] = path;
  if (first === undefined) return true;
  const below = typeof value === "string" ? undefined : (value as Readonly<Record<string, RawValue>>)[first];
  return below !== undefined && holds(below, rest);
}
