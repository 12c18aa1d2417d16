import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Document, isMap, isSeq } from "yaml";
import { addonNames } from "../model/addonNames.js";
import { messageOf } from "../model/errors.js";
import type { UserAddon } from "../model/options.js";
import type { Complain } from "./reader.js";

/** By these the add-on manager brings an object to what its file says, and deletes it when it leaves the folder. */
const managed = { "addonmanager.kubernetes.io/mode": "Reconcile", "kubernetes.io/cluster-service": "true" };

const ownNames = new Set(addonNames.map((name) => `${name}.yaml`));

/**
 * The objects of a folder, file by file, in the order of their names. Those that say nothing of the add-on manager get
 * its labels; all else, comments too, stays as it was written. Hidden files, folders and files of other kinds are left
 * out.
 */
export async function loadAddons(folder: string, complain: Complain): Promise<UserAddon[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    const hint = "Name a folder that you may read, with files of YAML or JSON in it.";
    complain({ code: "ADDON_UNREADABLE", message: `${folder} cannot be read: ${messageOf(error)}`, hint });
    return [];
  });
  const names = entries
    .filter((entry) => !entry.isDirectory() && /^[^.].*\.(json|ya?ml)$/.test(entry.name))
    .map(({ name }) => name)
    .sort();
  return (await Promise.all(names.map((name) => loadFile(join(folder, name), name, complain)))).flat();
}

async function loadFile(file: string, name: string, complain: Complain): Promise<UserAddon[]> {
  if (ownNames.has(name)) {
    const message = `${file}: this is the name of a file of tsdeploy's own`;
    complain({ code: "ADDON_NAME", message, hint: "Give the file another name." });
    return [];
  }
  const problems: string[] = [];
  let content = "";
  try {
    const text = await readFile(file, "utf8");
    content = name.endsWith(".json") ? labelledJson(text, problems) : await labelledYaml(text, problems);
  } catch (error) {
    problems.push(messageOf(error).split("\n")[0] ?? "");
  }
  const hint = "Write Kubernetes objects into the file, or move it out of the folder.";
  for (const problem of problems) complain({ code: "ADDON_INVALID", message: `${file}: ${problem}`, hint });
  return problems.length === 0 ? [{ name, content }] : [];
}

function labelledJson(text: string, problems: string[]): string {
  const object = JSON.parse(text) as unknown;
  const all = objectsOf(object);
  problems.push(...all.flatMap((one) => problemsOf(one)));
  if (problems.length > 0 || all.every(isManaged)) return text;
  for (const one of all.filter((other) => !isManaged(other))) {
    const { metadata } = one as { metadata: { labels?: Record<string, string> } };
    metadata.labels = { ...metadata.labels, ...managed };
  }
  return `${JSON.stringify(object, undefined, 2)}\n`;
}

async function labelledYaml(text: string, problems: string[]): Promise<string> {
  const { parseAllDocuments } = await import("./yaml.js");
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) {
    problems.push("holds no object");
    return text;
  }
  let isChanged = false;
  for (const document of documents) {
    const [error] = document.errors;
    if (error) {
      problems.push(error.message.split("\n")[0]?.replace(/:?\s*$/, "") ?? "");
      continue;
    }
    const object = document.toJS() as unknown;
    // Nothing but comments.
    if (object === null || object === undefined) continue;
    const found = objectsOf(object).flatMap((one) => problemsOf(one));
    problems.push(...found);
    if (found.length === 0 && label(document, object)) isChanged = true;
  }
  if (documents.every(({ contents }) => contents === null)) problems.push("holds no object");
  return isChanged && problems.length === 0 ? documents.map(asYaml).join("") : text;
}

/** kubectl takes what begins with a brace for JSON, which it is no more when labels have been added. */
function asYaml(document: Document): string {
  if (document.directives) document.directives.docStart = true;
  return String(document);
}

/** @returns whether that was needed */
function label(document: Document, object: unknown): boolean {
  const paths = objectsOf(object).flatMap((one, index) => {
    if (isManaged(one)) return [];
    return [isList(object) ? ["items", index] : []];
  });
  for (const path of paths) {
    for (const [key, value] of Object.entries(managed)) {
      const labels = [...path, "metadata", "labels"];
      // `labels:` with nothing behind it.
      if (!isMap(document.getIn(labels)) && !isSeq(document.getIn(labels))) {
        document.setIn(labels, document.createNode({}));
      }
      document.setIn([...labels, key], document.createNode(value));
    }
  }
  return paths.length > 0;
}

function objectsOf(object: unknown): unknown[] {
  return isList(object) ? object.items : [object];
}

function isList(object: unknown): object is { readonly items: unknown[] } {
  const { kind, items } = (object ?? {}) as { readonly kind?: unknown; readonly items?: unknown };
  return typeof kind === "string" && kind.endsWith("List") && Array.isArray(items);
}

function isManaged(object: unknown): boolean {
  const { metadata } = object as { readonly metadata: { readonly labels?: Readonly<Record<string, unknown>> | null } };
  return Object.keys(managed).some((key) => metadata.labels?.[key] !== undefined);
}

/** What an object has to have, so that anybody can do anything with it. */
function problemsOf(object: unknown): string[] {
  if (typeof object !== "object" || object === null || Array.isArray(object)) return ["holds something that is no object"];
  const { apiVersion, kind, metadata } = object as Readonly<Record<string, unknown>>;
  const isText = (value: unknown): boolean => typeof value === "string" && value !== "";
  const { name, labels } = (typeof metadata === "object" && metadata !== null ? metadata : {}) as Record<string, unknown>;
  const what = isText(kind) ? `a ${String(kind)}` : "an object";
  const missing = [
    ...(isText(apiVersion) ? [] : ["apiVersion"]),
    ...(isText(kind) ? [] : ["kind"]),
    ...(isText(name) ? [] : ["metadata.name"]),
  ];
  if (missing.length > 0) return [`${what} in it has no ${missing.join(" and no ")}`];
  const isWrong = labels !== undefined && labels !== null && (typeof labels !== "object" || Array.isArray(labels));
  return isWrong ? [`${what} in it has metadata.labels that are no map`] : [];
}
