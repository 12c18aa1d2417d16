import { readFile } from "node:fs/promises";
import type { Document, LineCounter, Node, Pair } from "yaml";
import { messageOf, type Problem } from "../model/errors.js";
import type { RawValue } from "./reader.js";

/** A YAML file of options, read but not understood. */
export interface ConfigFile {
  /** As it was named. */
  readonly path: string;
  /** Keys without a value are left out. */
  readonly values: ReadonlyMap<string, RawValue>;
  /** What keeps the file from being read at all. */
  readonly problems: readonly Problem[];
  /** `cluster.yaml:12:5` of a value, or of its key. */
  locate(path: readonly (string | number)[], aboutKey?: boolean): string;
}

/**
 * Reads the file; does not throw: what is wrong is in `problems`. Every scalar is text, as it is in a flag.
 *
 * @param flag which named it
 */
export async function readConfigFile(path: string, resolved: string, flag = "--config"): Promise<ConfigFile> {
  const broken = (problems: Problem[]): ConfigFile => ({ path, values: new Map(), problems, locate: () => path });
  const text = await readFile(resolved, "utf8").catch((error: unknown) => error);
  if (typeof text !== "string") {
    const message = `${flag}: ${path} cannot be read: ${messageOf(text)}`;
    return broken([{ code: "CONFIG_UNREADABLE", message, hint: "Name a YAML file that you may read." }]);
  }
  const yaml = await import("./yaml.js");
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { schema: "failsafe", lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    return broken(
      document.errors.map(({ message, pos }) => ({
        code: "CONFIG_SYNTAX",
        message: `${place(path, lines, pos[0])}: ${message}`,
        hint: "Correct the YAML there; text with `: ` or ` #` in it needs quotes.",
      })),
    );
  }
  const root = document.contents;
  if (root !== null && !yaml.isMap(root) && !(yaml.isScalar(root) && root.value === "")) {
    const hint = "Write each key on a line of its own, such as `timeout: 5m`.";
    return broken([{ code: "CONFIG_SYNTAX", message: `${path}: is not a map of options (key: value)`, hint }]);
  }
  const pairs = yaml.isMap(root) ? (root.items as Pair<Node, Node | null>[]) : [];
  const values = new Map<string, RawValue>();
  for (const { key, value } of pairs) {
    const isEmpty = yaml.isScalar(value) && value.type === "PLAIN" && ["", "~", "null"].includes(String(value.value));
    if (value !== null && !isEmpty) values.set(String(key), plain(value, document));
  }
  return {
    path,
    values,
    problems: [],
    locate: (at, aboutKey = false) => {
      const parent = document.getIn(at.slice(0, -1), true);
      const container = at.length === 1 ? root : parent;
      const pair = yaml.isMap(container)
        ? container.items.find((item) => String(item.key) === String(at.at(-1)))
        : undefined;
      const value = document.getIn(at, true);
      const node = aboutKey || !yaml.isNode(value) ? (pair?.key ?? value) : value;
      const offset = yaml.isNode(node) ? node.range?.[0] : undefined;
      return place(path, lines, offset ?? 0);
    },
  };

  function plain(node: Node, document: Document): RawValue {
    if (yaml.isAlias(node)) {
      const target = node.resolve(document);
      return target === undefined ? "" : plain(target, document);
    }
    if (yaml.isMap(node)) {
      const items = node.items as Pair<Node, Node | null>[];
      return Object.fromEntries(
        items.map(({ key, value }) => [String(key), value === null ? "" : plain(value, document)]),
      );
    }
    if (yaml.isSeq(node)) return (node.items as Node[]).map((item) => plain(item, document));
    return yaml.isScalar(node) ? String(node.value) : "";
  }
}

function place(path: string, lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${path}:${line}:${col}`;
}
