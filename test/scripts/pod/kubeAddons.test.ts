import { spawn } from "node:child_process";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { dialects, FakeKubectl, type FakeObject } from "./fakeKubectl.js";
import { scriptPath } from "./runScript.js";

const reconcile = { "addonmanager.kubernetes.io/mode": "Reconcile", "kubernetes.io/cluster-service": "true" };
const ensureExists = { ...reconcile, "addonmanager.kubernetes.io/mode": "EnsureExists" };
const unsaid = { "kubernetes.io/cluster-service": "true" };

let folder: string;
let kubectl: FakeKubectl;
const running: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsdeploy-addon-manager-"));
  for (const name of ["addons/deep", "bin", "tmp"]) await mkdir(join(folder, name), { recursive: true });
  kubectl = await FakeKubectl.start(join(folder, "bin"));
});
afterEach(async () => {
  for (const end of running.splice(0)) await end();
  await kubectl.stop();
  await rm(folder, { recursive: true });
});

/** One pass of the addon manager of a node: `code output`. */
function pass(keeper = "m1"): Promise<{ code: number | null; output: string }> {
  const env = { PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`, TMPDIR: join(folder, "tmp") };
  const options = ["--once", `--keeper=${keeper}`, `--addons=${join(folder, "addons")}`, "--kubeconfig=/none"];
  const child = spawn("bash", [scriptPath("kube-addons"), ...options], { env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      resolve({ code, output });
    });
  });
}

/** The addon manager as it runs in its pod, until the test is over. */
function start(): { readonly end: () => Promise<number | null> } {
  const env = { PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}`, TMPDIR: join(folder, "tmp") };
  const options = [`--addons=${join(folder, "addons")}`, "--kubeconfig=/none", "--interval=600"];
  const child = spawn("bash", [scriptPath("kube-addons"), ...options], { env, stdio: "ignore" });
  const ended = new Promise<number | null>((resolve) => child.on("exit", resolve));
  const end = (): Promise<number | null> => {
    child.kill("SIGTERM");
    return ended;
  };
  running.push(end);
  return { end };
}

const report = "ConfigMap/kube-system/tsdeploy-addons";

/** What is in the cluster besides what the manager itself needs. */
function names(): string[] {
  return [...kubectl.objects.keys()].filter((name) => !["Namespace//kube-system", report].includes(name)).sort();
}

/** What the manager says of itself. */
function told(): { readonly revision?: string; readonly applied?: string } | undefined {
  return kubectl.objects.get(report)?.data as ReturnType<typeof told>;
}

function configMap(name: string, labels: object, more: { data?: string; namespace?: string } = {}): string {
  const { data = "1", namespace } = more;
  const metadata = { name, labels, ...(namespace !== undefined && { namespace }) };
  return JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata, data: { data } });
}

const addon = (name: string, text: string): Promise<void> => writeFile(join(folder, "addons", name), text);
const noAddon = (name: string): Promise<void> => rm(join(folder, "addons", name));

/** A Deployment that wants a replica on each of two nodes, and one that wants nothing; and the first node. */
async function scaledAddons(): Promise<void> {
  kubectl.putNode("one");
  const deployment = (name: string, annotations: object): string => {
    const metadata = { name, namespace: "kube-system", labels: reconcile, annotations };
    return JSON.stringify({ apiVersion: "apps/v1", kind: "Deployment", metadata });
  };
  await addon("dns.json", deployment("dns", { "io.tsdeploy.replicas": "1-2" }));
  await addon("other.json", deployment("other", {}));
}

const replicas = (): number | undefined => kubectl.objects.get("Deployment/kube-system/dns")?.spec?.replicas;

function until(what: () => unknown): Promise<void> {
  return vi.waitFor(
    () => {
      expect(what()).toBeTruthy();
    },
    { timeout: 25_000, interval: 20 },
  );
}

// Dozens of short programs each, on machines that have other things to do.
describe.each(dialects)("with kubectl of %s", { timeout: 60_000 }, (dialect) => {
  beforeEach(() => {
    kubectl.dialect = dialect;
  });

  test("the revision of the folder that is kept to is told, once its files are read", async () => {
    await addon("a.json", configMap("a", ensureExists));
    await addon(".complete", "one\n");
    expect(await pass()).toMatchObject({ code: 0 });
    expect(told()?.revision).toBe("one");
    await noAddon("a.json");
    await addon(".complete", "two\n");
    kubectl.objects.delete("ConfigMap/default/a");
    expect(await pass()).toMatchObject({ code: 0 });
    expect(told()?.revision).toBe("two");
    expect(names()).toEqual([]);
  });

  test("a revision is read again though no file is another", async () => {
    await addon("a.json", configMap("a", ensureExists));
    await addon(".complete", "one\n");
    start();
    await until(() => told()?.revision === "one");
    await addon(".complete", "two\n");
    await until(() => told()?.revision === "two");
  });

  test("objects are created by their mode; what has none is nobody's business", async () => {
    const documents = [configMap("a", reconcile), "# only a comment", configMap("b", ensureExists)];
    await addon("one.yaml", `# addons\n---\n${documents.join("\n--- # next\n")}\n...\n`);
    await addon("deep/two words.yml", configMap("c", unsaid, { namespace: "kube-system" }));
    await addon("none.json", configMap("d", {}));
    await addon(".hidden.yaml", configMap("e", reconcile));
    await addon("README.md", "not an addon");
    expect(await pass()).toMatchObject({ code: 0 });
    expect(names()).toEqual(["ConfigMap/default/a", "ConfigMap/default/b", "ConfigMap/kube-system/c"]);
    expect(kubectl.objects.get("ConfigMap/default/b")?.applied).toBeUndefined();
    expect(kubectl.objects.has("Namespace//kube-system")).toBe(true);
  });

  test("a second pass changes nothing, and prunes nothing of `default`", async () => {
    await addon("one.yaml", [configMap("a", reconcile), configMap("b", ensureExists)].join("\n---\n"));
    await pass();
    const before = new Map(kubectl.objects);
    const { code, output } = await pass();
    expect(code).toBe(0);
    expect(output).not.toMatch(/created|deleted|exists/);
    expect(kubectl.objects).toEqual(before);
  });

  test("Reconcile follows the folder, EnsureExists does not", async () => {
    const both = (data: string): string =>
      [configMap("a", reconcile, { data }), configMap("b", ensureExists, { data })].join("\n---\n");
    await addon("one.yaml", both("1"));
    await pass();
    await addon("one.yaml", both("2"));
    await pass();
    const dataOf = (name: string): unknown => kubectl.objects.get(`ConfigMap/default/${name}`)?.data;
    expect(["a", "b"].map(dataOf)).toEqual([{ data: "2" }, { data: "1" }]);
    await noAddon("one.yaml");
    expect((await pass()).output).toContain("ConfigMap/default/a deleted");
    expect(names()).toEqual(["ConfigMap/default/b"]);
  });

  test("what others have made stays, whatever its labels", async () => {
    const metadata = { name: "x", namespace: "default", labels: reconcile };
    kubectl.put({ kind: "ConfigMap", metadata });
    const owned = { ...metadata, name: "y", ownerReferences: [{ kind: "Deployment" }] };
    kubectl.put({ kind: "ConfigMap", metadata: owned, applied: true });
    kubectl.put({ kind: "ConfigMap", metadata: { name: "z", namespace: "default" }, applied: true });
    expect(await pass()).toMatchObject({ code: 0 });
    expect(names()).toEqual(["ConfigMap/default/x", "ConfigMap/default/y", "ConfigMap/default/z"]);
  });

  test("what a person has applied with the labels of an add-on is named and stays", async () => {
    const mine = (name: string): FakeObject => {
      const metadata = { name, namespace: "kube-system", labels: reconcile };
      return { kind: "ConfigMap", metadata, applied: true };
    };
    kubectl.put(mine("before"));
    await addon("a.json", configMap("a", reconcile));
    expect((await pass()).output).toContain("not applied from here: ConfigMap/kube-system/before\n");
    kubectl.put(mine("later"));
    await noAddon("a.json");
    expect((await pass()).output).toContain("ConfigMap/default/a deleted");
    expect(names()).toEqual(["ConfigMap/kube-system/before", "ConfigMap/kube-system/later"]);
  });

  test("what it has deleted is a person's own from then on", async () => {
    await addon("a.json", configMap("a", reconcile));
    await pass();
    const object = kubectl.objects.get("ConfigMap/default/a");
    await noAddon("a.json");
    await pass();
    expect(told()?.applied).toBe("");
    if (object) kubectl.put(object);
    await pass();
    expect(names()).toEqual(["ConfigMap/default/a"]);
  });

  test("what an earlier tsdeploy has applied goes with its file; without a file it stays", async () => {
    for (const name of ["a", "b"]) await addon(`${name}.json`, configMap(name, reconcile));
    await pass();
    const metadata = { name: "tsdeploy-addons", namespace: "kube-system" };
    kubectl.put({ kind: "ConfigMap", metadata, data: { revision: "one" } });
    await noAddon("a.json");
    expect((await pass()).output).toContain("not applied from here: ConfigMap/default/a\n");
    await noAddon("b.json");
    expect((await pass()).output).toContain("ConfigMap/default/b deleted");
    expect(names()).toEqual(["ConfigMap/default/a"]);
  });

  test("what another master's folder had stays when that master is lost, and what this one's has is its own", async () => {
    for (const name of ["a", "b"]) await addon(`${name}.json`, configMap(name, reconcile));
    await pass("m1");
    await noAddon("a.json");
    expect((await pass("m2")).output).toContain("not applied from here: ConfigMap/default/a\n");
    expect(names()).toEqual(["ConfigMap/default/a", "ConfigMap/default/b"]);
    await noAddon("b.json");
    expect((await pass("m2")).output).toContain("ConfigMap/default/b deleted");
    expect(names()).toEqual(["ConfigMap/default/a"]);
  });

  test("what was applied beside something that the API refuses goes with its file", async () => {
    for (const name of ["a", "b"]) await addon(`${name}.json`, configMap(name, reconcile));
    kubectl.refuses.add("ConfigMap/default/b");
    expect(await pass()).toMatchObject({ code: 1 });
    const metadata = { name: "b", namespace: "default", labels: reconcile };
    kubectl.put({ kind: "ConfigMap", metadata, applied: true });
    for (const name of ["a", "b"]) await noAddon(`${name}.json`);
    const { output } = await pass();
    expect(output).toContain("ConfigMap/default/a deleted");
    expect(output).toContain("not applied from here: ConfigMap/default/b\n");
    expect(names()).toEqual(["ConfigMap/default/b"]);
  });

  test("what has left the folder and is of no kind that is deleted is named once", async () => {
    await addon("a.json", JSON.stringify({ apiVersion: "v1", kind: "Node", metadata: { name: "a", labels: reconcile } }));
    await addon("b.json", configMap("b", reconcile));
    await pass();
    for (const name of ["a", "b"]) await noAddon(`${name}.json`);
    const { output } = await pass();
    // A kubectl without a cluster takes the Node for one of a namespace.
    expect(output).toMatch(/ not deleted here; if it is still there, it stays: Node\/(default)?\/a\n/);
    expect((await pass()).output).not.toContain("Node/");
  });

  test.each([
    ["is broken", "x: ["],
    ["is of a kind that the cluster does not know", '{"kind":"Widget","metadata":{"name":"w"}}'],
  ])("a file that %s is told, holds up nobody, and nothing is deleted meanwhile", async (_, text) => {
    await addon("a.json", configMap("a", reconcile));
    await addon("b.json", configMap("b", reconcile));
    await pass();
    await noAddon("a.json");
    await addon("bad.yaml", text);
    await addon("c.json", configMap("c", reconcile));
    const { code, output } = await pass();
    expect(code).toBe(1);
    expect(output).toMatch(/bad\.yaml cannot be read/);
    expect(names()).toEqual(["ConfigMap/default/a", "ConfigMap/default/b", "ConfigMap/default/c"]);
    await noAddon("bad.yaml");
    expect(await pass()).toMatchObject({ code: 0 });
    expect(names()).toEqual(["ConfigMap/default/b", "ConfigMap/default/c"]);
  });

  test("a List is applied whole; one of several modes is left alone, in the cluster too", async () => {
    const list = (...items: string[]): string => `{"apiVersion":"v1","kind":"List","items":[${items.join(",")}]}`;
    await addon("list.json", list(configMap("a", reconcile), configMap("b", unsaid)));
    await pass();
    expect(names()).toEqual(["ConfigMap/default/a", "ConfigMap/default/b"]);
    await addon("list.json", list(configMap("a", reconcile, { data: "2" }), configMap("b", ensureExists)));
    const { code, output } = await pass();
    expect(code).toBe(0);
    expect(output).toContain("list.json is left alone");
    expect(kubectl.objects.get("ConfigMap/default/a")?.data).toEqual({ data: "1" });
    expect(names()).toEqual(["ConfigMap/default/a", "ConfigMap/default/b"]);
  });

  test.each([
    [[], 1],
    [["two"], 2],
    [["two", "three"], 2],
  ])("a Deployment that asks for it has its replicas by the number of nodes: one and %j", async (more, wanted) => {
    await scaledAddons();
    for (const name of more) kubectl.putNode(name);
    expect(await pass()).toMatchObject({ code: 0 });
    expect(replicas() ?? 1).toBe(wanted);
    // It may only be restarting.
    for (const name of more) kubectl.putNode(name, "NotReady");
    expect(await pass()).toMatchObject({ code: 0 });
    expect(replicas() ?? 1).toBe(wanted);
    for (const name of more) kubectl.objects.delete(`Node//${name}`);
    expect(await pass()).toMatchObject({ code: 0 });
    expect(replicas() ?? 1).toBe(1);
    expect(kubectl.objects.get("Deployment/kube-system/other")?.spec).toBeUndefined();
  });

  test("replicas beyond what is asked for are a person's", async () => {
    await scaledAddons();
    await pass();
    const dns = kubectl.objects.get("Deployment/kube-system/dns");
    if (dns) kubectl.put({ ...dns, spec: { replicas: 6 } });
    expect(await pass()).toMatchObject({ code: 0 });
    expect(replicas()).toBe(6);
  });

  test("what has left the folder goes, though an API that somebody has added does not answer", async () => {
    await addon("a.json", configMap("a", reconcile));
    await addon("b.json", configMap("b", reconcile));
    await pass();
    kubectl.lacksAnApi = true;
    await noAddon("a.json");
    expect(await pass()).toMatchObject({ code: 0 });
    expect(names()).toEqual(["ConfigMap/default/b"]);
  });

  test("leaves no files behind", async () => {
    await addon("a.json", configMap("a", reconcile));
    await pass();
    expect(await readdir(join(folder, "tmp"))).toEqual([]);
  });
});

describe("the add-on manager as it runs", { timeout: 30_000 }, () => {
  test.each(dialects)("a node that has become Ready is a replica more; one that is still so is nothing (kubectl of %s)", async (one) => {
    kubectl.dialect = one;
    await scaledAddons();
    const { end } = start();
    await until(() => kubectl.watches === 1);
    const before = kubectl.calls.length;
    for (let times = 0; times < 3; times += 1) kubectl.tellOfNode("one");
    for (const status of ["NotReady", "tainted"] as const) {
      const calls = kubectl.calls.length;
      kubectl.tellOfNode("two", status);
      await until(() => kubectl.calls.length >= calls + 2);
      expect(replicas() ?? 1).toBe(1);
    }
    kubectl.tellOfNode("two");
    await until(() => replicas() === 2);
    // Deployments and nodes each time, and the change.
    expect(kubectl.calls.slice(before)).toHaveLength(7);
    expect(await end()).toBe(143);
    await until(() => kubectl.watches === 0);
  });

  test("nodes are watched again when the API server has ended the watch", async () => {
    await scaledAddons();
    start();
    await until(() => kubectl.watches === 1);
    kubectl.endWatches();
    await until(() => kubectl.watches === 1);
    kubectl.tellOfNode("two");
    await until(() => replicas() === 2);
  });

  test("nodes are watched only where something depends on them", async () => {
    await addon("a.json", configMap("a", reconcile));
    start();
    await until(() => names().length === 1);
    await addon("b.json", configMap("b", reconcile));
    await until(() => names().length === 2);
    expect(kubectl.calls.filter((call) => call.includes("--watch-only"))).toEqual([]);
  });
});
