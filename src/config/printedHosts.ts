import { familiesText, type OnePerFamily } from "../model/addressRanges.js";
import type { ClusterHost, MasterHost } from "../model/clusterHosts.js";
import type { Taint } from "../model/options.js";
import { isOfHost } from "./hostView.js";
import { type OptionRow, optionsOf, propertyOf } from "./optionTable.js";

type Settings = Readonly<Record<string, unknown>>;

/** What a cluster's file says of all hosts, defaults included, by the file's keys. */
export function sharedSettings({ options }: MasterHost): Settings {
  return settings(optionsOf("master").filter((row) => row.group === "Cluster" && !isOfHost(row)), options);
}

/** What it says of one host, what the host takes from the rest of the file included. */
export function hostSettings({ role, tlsFolder, options }: ClusterHost): Settings {
  const { dockerHost, dockerContext } = options;
  const own = settings(optionsOf("worker").filter(isOfHost), options);
  return withoutNothing({ role, dockerHost, dockerContext, tlsFolder, ...own });
}

function settings(rows: readonly OptionRow[], options: object): Settings {
  const values = options as Settings;
  return withoutNothing(Object.fromEntries(rows.map((row) => [row.key, shown(row, values[propertyOf(row)])])));
}

/** As a person would write it. */
function shown({ type }: OptionRow, value: unknown): unknown {
  if (value === undefined) return undefined;
  if (type === "ranges" || type === "addresses") return familiesText(value as OnePerFamily);
  if (type === "duration") return `${Number(value) / 1000}s`;
  if (type === "taints") return (value as Taint[]).map(taintText);
  if (type === "patches") return (value as { file: string }[]).map(({ file }) => file);
  if (type === "addons") return (value as { name: string }[]).map(({ name }) => name);
  return value;
}

function taintText({ key, value, effect }: Taint): string {
  return `${key}${value === undefined ? "" : `=${value}`}:${effect}`;
}

/** Lists and maps without anything in them were not given. */
function withoutNothing(all: Settings): Settings {
  return Object.fromEntries(
    Object.entries(all).filter(
      ([, value]) => value !== undefined && !(typeof value === "object" && value !== null && Object.keys(value).length === 0),
    ),
  );
}
