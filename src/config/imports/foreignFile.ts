import type { ConfigFile } from "../configFile.js";
import { isMap, type RawValue } from "../reader.js";

export type Path = readonly (string | number)[];

/** A key of another tool's file that has nothing of ours to become. */
export interface LeftKey {
  /** Without the numbers of list items: `nodes.ssh_key_path`. */
  readonly key: string;
  /** `cluster.yml:12:5`, of each time that it is there. */
  readonly places: readonly string[];
}

/** Another tool's file, which remembers what of it was read: the rest is what a person has to be told about. */
export class ForeignFile {
  readonly #file: ConfigFile;
  readonly #taken = new Set<string>();

  constructor(file: ConfigFile) {
    this.#file = file;
  }

  /** As it was named. */
  get path(): string {
    return this.#file.path;
  }

  /** What is there, without taking it. */
  at(path: Path): RawValue | undefined {
    const [first = "", ...rest] = path;
    return rest.reduce<RawValue | undefined>((value, key) => below(value, key), this.#file.values.get(String(first)));
  }

  /** Text that is there and says something. */
  text(path: Path): string | undefined {
    const value = this.#take(path);
    return typeof value === "string" && !saysNothing(value) ? value.trim() : undefined;
  }

  /** Text, or lists of text. */
  texts(path: Path): string[] {
    const value = this.#take(path) ?? [];
    const items: readonly RawValue[] = Array.isArray(value) ? (value as readonly RawValue[]) : [value];
    return items.flatMap((item) => (typeof item === "string" && item !== "" ? item.trim() : []));
  }

  /** A map of text; what in it is no text is left. */
  map(path: Path): Record<string, string> {
    const value = this.at(path);
    if (value === undefined || !isMap(value)) return {};
    return Object.fromEntries(
      Object.keys(value).flatMap((key) => {
        const text = value[key];
        if (typeof text !== "string") return [];
        this.#take([...path, key]);
        return [[key, text]];
      }),
    );
  }

  /** The items' paths of a list. */
  items(path: Path): Path[] {
    const value = this.at(path);
    return Array.isArray(value) ? value.map((_, index) => [...path, index]) : [];
  }

  /** Whether it is `true`. */
  flag(path: Path): boolean {
    return /^(true|yes|on)$/i.test(this.text(path) ?? "");
  }

  /** So that it is left, after all. */
  leave(path: Path): void {
    this.#taken.delete(JSON.stringify(path));
  }

  place(path: Path, aboutKey = true): string {
    return this.#file.locate(path, aboutKey);
  }

  /** What was not taken and says something: the uppermost keys of which nothing was taken. */
  leftKeys(): LeftKey[] {
    const left = new Map<string, string[]>();
    const walk = (path: Path, value: RawValue): void => {
      if (this.#taken.has(JSON.stringify(path)) || saysNothing(value)) return;
      if (typeof value !== "string" && this.#isTouched(path)) {
        for (const key of keysOf(value)) walk([...path, key], below(value, key) ?? "");
        return;
      }
      const key = path.filter((part) => typeof part === "string").join(".");
      left.set(key, [...(left.get(key) ?? []), this.place(path)]);
    };
    for (const [key, value] of this.#file.values) walk([key], value);
    return [...left].map(([key, places]) => ({ key, places }));
  }

  #take(path: Path): RawValue | undefined {
    this.#taken.add(JSON.stringify(path));
    return this.at(path);
  }

  /** Whether something below was taken; items of a list are looked at one by one as soon as one of them was. */
  #isTouched(path: Path): boolean {
    const begin = `${JSON.stringify(path).slice(0, -1)},`;
    return [...this.#taken].some((taken) => taken.startsWith(begin));
  }
}

/** These tools write files with every key they know; what is empty or switched off is as if it were not there. */
function saysNothing(value: RawValue): boolean {
  if (typeof value === "string") return /^(|~|null|false|no|off|0)$/i.test(value.trim());
  return keysOf(value).every((key) => saysNothing(below(value, key) ?? ""));
}

function keysOf(value: Exclude<RawValue, string>): (string | number)[] {
  return Array.isArray(value) ? [...value.keys()] : Object.keys(value);
}

function below(value: RawValue | undefined, key: string | number): RawValue | undefined {
  if (value === undefined || typeof value === "string") return undefined;
  return Object.hasOwn(value, key) ? (value as Readonly<Record<string | number, RawValue>>)[key] : undefined;
}
