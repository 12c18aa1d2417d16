import { TsdeployError } from "../model/errors.js";
import type { FieldType } from "./fieldFlags.js";

/** A configuration file as an object. */
export type ConfigurationDocument = Readonly<Record<string, unknown>>;

/**
 * What a flag's text is as the value of its field.
 *
 * @param who whose extra argument it is, such as `proxy`
 * @throws TsdeployError of kind usage, `EXTRA_ARG_VALUE`
 */
export function fieldValue(who: string, flag: string, text: string, type: FieldType): unknown {
  const refuse = (wanted: string, example: string): never => {
    throw new TsdeployError("usage", {
      code: "EXTRA_ARG_VALUE",
      message: `extraArgs.${who}: --${flag} wants ${wanted}, not ${JSON.stringify(text)}`,
      hint: `Write it as --extra-arg ${who}:${flag}=${example}.`,
    });
  };
  switch (type) {
    case "text":
      return text;
    case "list":
      return text.split(",").filter(Boolean);
    case "number":
      return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : refuse("a number", "10");
    case "boolean":
      return text === "true" || text === "false" ? text === "true" : refuse("true or false", "true");
    case "switches":
      return Object.fromEntries(
        text.split(",").map((pair) => {
          const [key, value] = pair.split("=");
          if (!key || (value !== "true" && value !== "false")) return refuse("Name=true,Other=false", "Name=true,Other=false");
          return [key, value === "true"];
        }),
      );
    case "thresholds":
    case "taints":
      // Of the kubelet, whose flags beat its file: nobody makes fields of them.
      throw new Error(`no field is made of ${who}'s --${flag}`);
  }
}

/** The reverse: a field's value as the text of a flag. */
export function flagText(value: unknown, type: FieldType): string {
  switch (type) {
    case "text":
    case "number":
    case "boolean":
      return String(value);
    case "list":
      return (value as readonly string[]).join(",");
    case "switches":
      return pairs(value).map(([key, one]) => `${key}=${one}`).join(",");
    case "thresholds":
      return pairs(value)
        .filter(([, one]) => one !== "0%")
        .map(([key, one]) => `${key}<${one}`)
        .join(",");
    case "taints":
      return (value as readonly { key: string; value?: string; effect: string }[])
        .map(({ key, value: text, effect }) => `${key}=${text ?? ""}:${effect}`)
        .join(",");
  }
}

/**
 * For versions without a configuration file: what is in a document besides these fields is a person's patch that no
 * flag says.
 *
 * @throws TsdeployError of kind usage, `PATCH_FIELD`
 */
export function refuseOtherFields(
  who: "kubelet" | "proxy",
  document: ConfigurationDocument,
  fields: readonly string[],
  version: string,
): void {
  const rest = ["apiVersion", "kind", ...fields].reduce<ConfigurationDocument>(withoutField, document);
  const names = Object.keys(rest);
  if (names.length === 0) return;
  throw new TsdeployError(
    "usage",
    names.map((name) => ({
      code: "PATCH_FIELD",
      message:
        `the ${who === "proxy" ? "kube-proxy" : who} of ${version} has no configuration file, ` +
        `and tsdeploy knows no flag for the field ${name}`,
      hint: `Say its flag by extraArgs.${who}.`,
    })),
  );
}

/** The document with another value at a dotted path. */
export function withField(document: ConfigurationDocument, path: string, value: unknown): ConfigurationDocument {
  const [head = "", ...rest] = path.split(".");
  if (rest.length === 0) return { ...document, [head]: value };
  return { ...document, [head]: withField(asDocument(document[head]), rest.join("."), value) };
}

/** The document with other values at dotted paths. */
export function withFields(
  document: ConfigurationDocument,
  values: Readonly<Record<string, unknown>>,
): ConfigurationDocument {
  return Object.entries(values).reduce((result, [path, value]) => withField(result, path, value), document);
}

/** A document with another one's values in place of its own; of objects in it, only those values that the other has. */
export function mergeDocuments(document: ConfigurationDocument, other: ConfigurationDocument): ConfigurationDocument {
  return Object.entries(other).reduce<ConfigurationDocument>((merged, [key, value]) => {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return { ...merged, [key]: isObject ? mergeDocuments(asDocument(merged[key]), asDocument(value)) : value };
  }, document);
}

/** The value at a dotted path; undefined if there is none. */
export function fieldOf(document: ConfigurationDocument, path: string): unknown {
  return path.split(".").reduce<unknown>((value, key) => asDocument(value)[key], document);
}

/** The document without what is at a dotted path, and without the objects that are empty then. */
export function withoutField(document: ConfigurationDocument, path: string): ConfigurationDocument {
  const [head = "", ...rest] = path.split(".");
  if (!Object.hasOwn(document, head)) return document;
  const { [head]: value, ...others } = document;
  if (rest.length === 0) return others;
  const inner = withoutField(asDocument(value), rest.join("."));
  return Object.keys(inner).length === 0 ? others : { ...document, [head]: inner };
}

/** An object of a document; an empty one where there is none. */
export function asDocument(value: unknown): ConfigurationDocument {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as ConfigurationDocument) : {};
}

function pairs(value: unknown): [string, string][] {
  return Object.entries(asDocument(value)).map(([key, one]) => [key, String(one)]);
}
