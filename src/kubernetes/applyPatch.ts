import jsonPatch from "fast-json-patch";
import { messageOf, TsdeployError, unreachable } from "../model/errors.js";
import type { Patch } from "../model/options.js";

/** By which field a strategic merge matches the elements of these lists; other lists are replaced as a whole. */
const mergeKeys: Readonly<Record<string, string>> = {
  containers: "name",
  initContainers: "name",
  volumes: "name",
  env: "name",
  imagePullSecrets: "name",
  volumeMounts: "mountPath",
  ports: "containerPort",
  hostAliases: "ip",
};

/**
 * The document with the patch applied: strategic merge, merge (RFC 7386) or JSON patch (RFC 6902), as kubeadm's
 * `--patches`.
 *
 * @throws TsdeployError of kind usage, code `PATCH_FAILED`, naming the patch's file
 */
export function applyPatch(document: unknown, patch: Patch): unknown {
  const fail = (message: string, hint: string, cause?: unknown): never => {
    throw new TsdeployError("usage", { code: "PATCH_FAILED", message: `${patch.file}: ${message}`, hint }, { cause });
  };
  switch (patch.type) {
    case "strategic":
    case "merge":
      if (!isObject(patch.body)) {
        return fail("the patch has to be an object", "Write the fields to change, or end a JSON patch's name in +json.");
      }
      return mergeObjects(document, patch.body, patch.type === "strategic");
    case "json": {
      if (!Array.isArray(patch.body)) {
        return fail("a JSON patch has to be a list of operations", "Write a list, or leave +json out of the file's name.");
      }
      try {
        const operations = patch.body as jsonPatch.Operation[];
        return jsonPatch.applyPatch(structuredClone(document), operations, true).newDocument;
      } catch (error) {
        const hint = "Correct this operation; its path has to be there in what is patched.";
        return fail(messageOf(error).split("\n")[0] ?? "", hint, error);
      }
    }
    default:
      return unreachable(patch.type);
  }
}

type JsonObject = Readonly<Record<string, unknown>>;

function mergeObjects(target: unknown, patch: JsonObject, strategic: boolean): JsonObject {
  if (strategic && patch["$patch"] === "replace") return without(patch, "$patch");
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (strategic && key === "$patch") continue;
    const mergeKey = strategic ? mergeKeys[key] : undefined;
    if (value === null) {
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- null deletes, in both kinds of merge
      delete merged[key];
    } else if (Array.isArray(value)) {
      const keyed = mergeKey !== undefined && isKeyedBy(value, mergeKey);
      merged[key] = keyed ? mergeLists(merged[key], value, mergeKey) : value;
    } else if (isObject(value)) {
      merged[key] = mergeObjects(merged[key], value, strategic);
    } else {
      merged[key] = value;
    }
  }
  return merged;
}

function mergeLists(target: unknown, patch: readonly JsonObject[], mergeKey: string): unknown[] {
  const merged: unknown[] = Array.isArray(target) ? [...(target as unknown[])] : [];
  for (const element of patch) {
    const index = merged.findIndex((other) => isObject(other) && other[mergeKey] === element[mergeKey]);
    if (element["$patch"] === "delete") {
      if (index >= 0) merged.splice(index, 1);
    } else if (index >= 0) {
      merged[index] = mergeObjects(merged[index], element, true);
    } else {
      merged.push(mergeObjects({}, element, true));
    }
  }
  return merged;
}

function isKeyedBy(list: readonly unknown[], mergeKey: string): list is readonly JsonObject[] {
  return list.every((element) => isObject(element) && mergeKey in element);
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function without(object: JsonObject, key: string): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([name]) => name !== key));
}
