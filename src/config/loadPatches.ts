import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { checkPatchTargets } from "../kubernetes/renderManifests.js";
import { messageOf } from "../model/errors.js";
import type { Patch } from "../model/options.js";
import { type Complain, ownProblems } from "./reader.js";

const types: readonly string[] = ["strategic", "merge", "json"] satisfies Patch["type"][];

/** Longer names first: `kubeletconfiguration` is not `kubelet` with a suffix. */
const targets = [
  "kube-controller-manager",
  "kubeletconfiguration",
  "controller-manager",
  "kube-apiserver",
  "kube-scheduler",
  "addon-manager",
  "kube-proxy",
  "apiserver",
  "scheduler",
  "kubelet",
  "proxy",
  "etcd",
];

/**
 * The patches of a folder in the order of their names: `target[suffix][+type].json|yaml`, as kubeadm's `--patches`.
 * Hidden files and those of other kinds are left out.
 */
export async function loadPatches(folder: string, complain: Complain): Promise<Patch[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    const hint = "Name a folder that you may read, with files of YAML or JSON in it.";
    complain({ code: "PATCH_UNREADABLE", message: `${folder} cannot be read: ${messageOf(error)}`, hint });
    return [];
  });
  const files = names.filter((name) => /^[^.].*\.(json|ya?ml)$/.test(name)).sort();
  return (await Promise.all(files.map((name) => loadFile(join(folder, name), name, complain)))).flat();
}

async function loadFile(file: string, name: string, complain: Complain): Promise<Patch[]> {
  const [, stem = "", type = "strategic", extension] = /^([^+]*)(?:\+(.*))?\.(json|ya?ml)$/.exec(name) ?? [];
  if (extension === "yml") {
    const hint = `Rename it to ${name.replace(/yml$/, "yaml")}.`;
    complain({ code: "PATCH_NAME", message: `${file}: patches end in .yaml or .json`, hint });
    return [];
  }
  if (!isType(type)) {
    complain({
      code: "PATCH_NAME",
      message: `${file}: ${JSON.stringify(type)} is not a kind of patch`,
      hint: `After the + write one of ${types.join(", ")}.`,
    });
    return [];
  }
  const target = targets.find((known) => stem.startsWith(known)) ?? stem;
  ownProblems(() => { checkPatchTargets([{ target, type, body: {}, file }]); }, complain);
  try {
    const text = await readFile(file, "utf8");
    const bodies = extension === "json" ? [JSON.parse(text) as unknown] : await yamlDocuments(text);
    return bodies.map((body) => ({ target, type, body, file }));
  } catch (error) {
    const [reason] = messageOf(error).split("\n");
    const hint = "Correct the file, or move it out of the folder.";
    complain({ code: "PATCH_UNREADABLE", message: `${file}: ${reason ?? ""}`, hint });
    return [];
  }
}

async function yamlDocuments(text: string): Promise<unknown[]> {
  const { parseAllDocuments } = await import("./yaml.js");
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents)) return [];
  return documents.map((document) => {
    const [error] = document.errors;
    if (error) throw new Error(error.message.replace(/:?\s*$/, ""));
    return document.toJS() as unknown;
  });
}

function isType(text: string): text is Patch["type"] {
  return types.includes(text);
}
