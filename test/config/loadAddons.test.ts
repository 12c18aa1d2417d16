import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { loadAddons } from "../../src/config/loadAddons.js";
import type { UserAddon } from "../../src/model/options.js";

const labels = { "addonmanager.kubernetes.io/mode": "Reconcile", "kubernetes.io/cluster-service": "true" };

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsdeploy-addons-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function load(files: Readonly<Record<string, string>>): Promise<{ addons: UserAddon[]; said: string[] }> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const said: string[] = [];
  const addons = await loadAddons(folder, ({ code, message }) => said.push(`${code ?? ""} ${message.replace(`${folder}/`, "")}`));
  return { addons, said };
}

function objectsIn(text: string | undefined): unknown[] {
  const documents = parseAllDocuments(text ?? "");
  return Array.isArray(documents) ? documents.map((document) => document.toJS() as unknown) : [];
}

const map = (name: string, more = ""): string => `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\n${more}`;

test("objects get the add-on manager's labels, and stay as they were written", async () => {
  const text = `# mine\n${map("a", "  labels:\n    app: x # why\n")}---\n${map("b", "data:\n  k: |\n    ---x\n    two\n")}`;
  const { addons, said } = await load({ "one.yaml": text });
  expect(said).toEqual([]);
  expect(addons[0]?.content).toContain("# mine");
  expect(addons[0]?.content).toContain("app: x # why");
  expect(objectsIn(addons[0]?.content)).toEqual([
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", labels: { app: "x", ...labels } } },
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b", labels }, data: { k: "---x\ntwo\n" } },
  ]);
});

test("JSON in a YAML file, which is YAML when it has its labels, does not begin as JSON does", async () => {
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" } };
  const text = JSON.stringify(object);
  const { addons } = await load({ "one.yaml": text, "two.yaml": `# two\n${text}\n---\n${text}\n` });
  for (const { content } of addons) {
    expect(content).not.toMatch(/^\s*\{/);
    expect(content.match(/^---/gm)).toHaveLength(objectsIn(content).length);
    for (const one of objectsIn(content)) expect(one).toEqual({ ...object, metadata: { name: "a", labels } });
  }
  expect(addons.map(({ content }) => objectsIn(content).length)).toEqual([1, 2]);
});

test("who says how an object is to be kept is not corrected", async () => {
  const text = map("a", '  labels:\n    addonmanager.kubernetes.io/mode: EnsureExists\n');
  expect((await load({ "one.yaml": text })).addons).toEqual([{ name: "one.yaml", content: text }]);
});

test("JSON and Lists are objects, too; labels that are null are none", async () => {
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a", labels: null } };
  const list = `apiVersion: v1\nkind: List\nitems:\n  - ${JSON.stringify(object)}\n`;
  const { addons, said } = await load({ "a.json": JSON.stringify(object), "b.yml": list });
  expect(said).toEqual([]);
  expect(JSON.parse(addons[0]?.content ?? "")).toEqual({ ...object, metadata: { name: "a", labels } });
  expect(objectsIn(addons[1]?.content)).toEqual([
    { apiVersion: "v1", kind: "List", items: [{ ...object, metadata: { name: "a", labels } }] },
  ]);
});

test("hidden files, folders and other kinds of files are no add-ons", async () => {
  await mkdir(join(folder, "deep.yaml"));
  expect(await load({ ".a.yaml": "x", "README.md": "x" })).toEqual({ addons: [], said: [] });
});

test("all that is wrong is told at once, with the file", async () => {
  const { addons, said } = await load({
    "a.yaml": "a: [\n",
    "b.json": "{",
    "c.yaml": "kind: ConfigMap\nmetadata: {}\n",
    "coredns.yaml": map("a"),
    "d.yaml": "just words\n",
    "e.yaml": "# nothing\n",
    "f.yaml": `${map("good")}---\nkind: Secret\napiVersion: v1\n`,
    "good.yaml": map("good"),
  });
  expect(addons.map(({ name }) => name)).toEqual(["good.yaml"]);
  const inOrder = [...said].sort();
  expect(inOrder).toHaveLength(7);
  for (const [index, words] of [
    /^ADDON_INVALID a\.yaml: .*line 2/,
    /^ADDON_INVALID b\.json: .*JSON/,
    /^ADDON_INVALID c\.yaml: a ConfigMap in it has no apiVersion and no metadata\.name$/,
    /^ADDON_INVALID d\.yaml: holds something that is no object$/,
    /^ADDON_INVALID e\.yaml: holds no object$/,
    /^ADDON_INVALID f\.yaml: a Secret in it has no metadata\.name$/,
    /^ADDON_NAME coredns\.yaml: /,
  ].entries()) {
    expect(inOrder[index]).toMatch(words);
  }
});

test("a folder that is not there is told", async () => {
  const said: string[] = [];
  await loadAddons(join(folder, "none"), ({ code }) => said.push(code ?? ""));
  expect(said).toEqual(["ADDON_UNREADABLE"]);
});
