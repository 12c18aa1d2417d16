import { describe, expect, test } from "vitest";
import { hostBeforeFile } from "../../src/host/hostBefore.js";
import { writtenFilesRecord } from "../../src/host/writtenFiles.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { TsdeployError } from "../../src/model/errors.js";
import type { ExistingFile } from "../../src/model/hostFacts.js";
import type { HostFile } from "../../src/model/hostFile.js";
import { paths } from "../../src/model/hostLayout.js";
import type { MasterOptions } from "../../src/model/options.js";
import type { Action, Plan } from "../../src/model/plan.js";
import { pullSecret } from "../../src/kubernetes/pullSecret.js";
import { describePlan } from "../../src/plan/describePlan.js";
import { filesOf } from "../../src/plan/diff.js";
import { refuseForeignFiles } from "../../src/plan/foreignFiles.js";
import { planAddon } from "../../src/plan/planAddon.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { masterInputOf, observed } from "./fixtures.js";

const corednsPath = `${paths.addons}/coredns.yaml`;

interface Of {
  readonly version?: string;
  readonly dns?: boolean;
  readonly network?: "bridge" | "none";
  readonly options?: Partial<MasterOptions>;
  readonly files?: readonly HostFile[];
}

function planOf({ version = "v1.20.2", dns = true, network = "bridge", options = {}, files = [] }: Of = {}): Plan {
  const input = masterInputOf({ version, config: { addons: dns ? ["coredns"] : [], network } });
  const present = new Map<string, ExistingFile>(files.map(({ path, mode, content }) => [path, { mode, content }]));
  return planMaster({ ...input, options: { ...input.options, ...options }, observed: { ...observed, files: present } });
}

function actionOf(plan: Plan, id: string): Action | undefined {
  return plan.steps.find((step) => step.id === id)?.action;
}

/** An add-on as an earlier run left it, with the record of that. */
function earlier(file: Pick<HostFile, "path" | "content">): HostFile[] {
  const whole = { mode: 0o644, secret: false, ...file };
  return [writtenFilesRecord([whole], new Map()), whole];
}

describe("DNS", () => {
  test("is there when a name resolves, on a node that can run it", () => {
    const plan = planOf();
    expect(actionOf(plan, "dns")).toEqual({
      kind: "wait",
      probe: {
        kind: "name-resolves",
        name: "kubernetes.default.svc.cluster.local",
        address: "10.96.0.1",
        server: "10.96.0.10",
        node: "machine-1",
        network: "bridge",
      },
    });
    expect(plan.steps.find(({ id }) => id === "dns")?.phase).toBe("dns");
    expect(filesOf(plan).map(({ path }) => path)).toContain(corednsPath);
    expect(plan.warnings.map(({ message }) => message).join()).not.toMatch(/DNS|taint/);
  });

  test("has its image pulled where the node's has no CoreDNS", () => {
    const { coredns, ...imagePrograms } = observed.host.imagePrograms;
    const input = masterInputOf({ version: "v1.20.2" });
    const plan = planMaster({ ...input, observed: { ...observed, host: { ...observed.host, imagePrograms } } });
    expect(coredns).toBeDefined();
    expect(actionOf(plan, "coredns-image")).toMatchObject({ reference: expect.stringContaining("coredns:") as unknown });
    expect(plan.steps.find(({ id }) => id === "dns")?.needs).toContain("coredns-image");
  });

  test.each([
    [{ options: { nodeTaints: [{ key: "dedicated", value: "db", effect: "NoExecute" }] } }, "taint dedicated:NoExecute"],
    [{ network: "none" }, "brought a pod network"],
  ] as const)("is not waited for, but told of, with %o", (of, words) => {
    const plan = planOf(of);
    expect(actionOf(plan, "addon-coredns")).toBeDefined();
    expect(actionOf(plan, "dns")).toBeUndefined();
    expect(plan.warnings.map(({ message }) => message).join()).toContain(words);
  });

  test("is waited for where the node's own taint leaves it other nodes", () => {
    const input = masterInputOf({ version: "v1.20.2", config: { addons: ["coredns"] } });
    const nodeTaints = [{ key: "dedicated", value: "db", effect: "NoExecute" }] as const;
    const plan = planMaster({ ...input, hasOtherNodes: true, options: { ...input.options, nodeTaints } });
    expect(actionOf(plan, "dns")).toBeDefined();
    expect(plan.warnings.map(({ message }) => message).join()).not.toContain("taint");
  });

  test("is waited for on a node that has the control plane's own taint", () => {
    const nodeTaints = [{ key: "node-role.kubernetes.io/master", effect: "NoSchedule" }] as const;
    expect(actionOf(planOf({ options: { nodeTaints } }), "dns")).toBeDefined();
  });

  test("leaves nothing in a plan without it", () => {
    const plan = planOf({ dns: false });
    expect(JSON.stringify(plan)).not.toContain("coredns");
  });
});

describe("add-ons from a registry that asks who pulls", () => {
  const secret = pullSecret([{ serveraddress: "lab:5000", username: "me", password: "s-e-c-r-e-t" }]);
  const input = masterInputOf({ version: "v1.20.2", config: { addons: ["coredns", "metrics-server"] } });
  const named = /imagePullSecrets:\s+- name: tsdeploy-registry/;
  const addonTexts = (plan: Plan): string[] =>
    filesOf(plan).flatMap(({ path, content }) => (/(coredns|metrics-server)\.yaml$/.test(path) ? [content] : []));

  test("are pulled by a Secret that is there before them, and in no file", () => {
    const plan = planMaster({ ...input, pullSecret: { objects: [secret], isThere: true } });
    expect(actionOf(plan, "pull-secret")).toEqual({ kind: "apply-objects", objects: [secret] });
    for (const id of ["addon-coredns", "addon-metrics-server"]) {
      expect(plan.steps.find((step) => step.id === id)?.needs).toContain("pull-secret");
    }
    expect(addonTexts(plan)).toEqual([expect.stringMatching(named), expect.stringMatching(named)]);
    const encoded = String((secret["data"] as Record<string, string>)[".dockerconfigjson"]);
    for (const text of [...filesOf(plan).map(({ content }) => content), describePlan(plan)]) {
      expect(text).not.toContain("s-e-c-r-e-t");
      expect(text).not.toContain(encoded);
    }
  });

  test("keep the Secret that another operator has made", () => {
    const plan = planMaster({ ...input, pullSecret: { objects: [], isThere: true } });
    expect(actionOf(plan, "pull-secret")).toBeUndefined();
    expect(addonTexts(plan)).toEqual([expect.stringMatching(named), expect.stringMatching(named)]);
  });

  test("else name none", () => {
    expect(addonTexts(planMaster(input)).join()).not.toContain("imagePullSecrets");
  });
});

describe("an add-on that nobody wants any more", () => {
  const [content = ""] = filesOf(planOf()).flatMap((file) => (file.path === corednsPath ? [file.content] : []));

  test("goes after its objects, of which the last go first", () => {
    const plan = planOf({ dns: false, files: earlier({ path: corednsPath, content }) });
    expect(actionOf(plan, "remove-coredns")).toEqual({ kind: "remove-files", paths: [corednsPath] });
    const { objects } = actionOf(plan, "delete-coredns") as Extract<Action, { readonly kind: "delete-objects" }>;
    expect(objects.map(({ kind }) => kind)).toEqual([
      ...["Service", "Deployment", "ConfigMap", "ClusterRoleBinding", "ClusterRole", "ServiceAccount"],
    ]);
    expect(plan.steps.find(({ id }) => id === "remove-coredns")?.needs).toEqual(["delete-coredns"]);
  });

  test("is gone when all of its objects are, and its pods", () => {
    const plan = planOf({ dns: false, files: earlier({ path: corednsPath, content }) });
    expect(plan.steps.find(({ id }) => id === "gone-coredns")?.needs).toEqual(["addons-revision"]);
    const { probe } = actionOf(plan, "gone-coredns") as Extract<Action, { readonly kind: "wait" }>;
    expect(probe).toMatchObject({
      kind: "objects-gone",
      objects: expect.arrayContaining([expect.objectContaining({ kind: "Deployment" })]) as unknown,
      pods: [{ deployment: "coredns", namespace: "kube-system", labels: { "k8s-app": "kube-dns" } }],
    });
  });

  test("is gone when the add-on manager has read the folder without it, which gets another revision then", () => {
    const left = { dns: false, files: earlier({ path: corednsPath, content }) };
    const plan = planOf(left);
    expect(plan.steps.find(({ id }) => id === "addons-revision")?.needs).toEqual(["remove-coredns"]);
    const written = actionOf(plan, "addons-revision") as Extract<Action, { readonly kind: "write-files" }>;
    const { probe } = actionOf(plan, "gone-coredns") as Extract<Action, { readonly kind: "wait" }>;
    expect(written.files).toMatchObject([{ path: paths.addonsRevision, content: "none\n" }]);
    expect(probe).toMatchObject({ revision: "none" });
    const record = filesOf(plan).find(({ path }) => path === paths.writtenFiles);
    expect(record?.content).toContain(paths.addonsRevision);
    // Nothing else gives it another, nor takes it away.
    const files = [...left.files, ...earlier({ path: paths.addonsRevision, content: "none\n" })];
    expect(actionOf(planOf({ files: files.slice(1) }), "addons-revision")).toBeUndefined();
    expect(JSON.stringify(actionOf(planOf({ files: files.slice(2) }), "stale-files") ?? "")).not.toContain("revision");
  });

  test.each(["v1.3.6", "v1.6.13"])("leaves a Deployment of %s to the add-on manager, which takes the pods too", (version) => {
    const [old = ""] = filesOf(planOf({ version })).flatMap(({ path, content: text }) => (path === corednsPath ? [text] : []));
    const plan = planOf({ version, dns: false, files: earlier({ path: corednsPath, content: old }) });
    expect(JSON.stringify(actionOf(plan, "delete-coredns"))).not.toContain("Deployment");
  });

  test("stays, and is told of, if somebody has edited it", () => {
    const [record, file] = earlier({ path: corednsPath, content });
    const files = [record, file && { ...file, content: `${content}# mine\n` }].filter((one) => one !== undefined);
    const plan = planOf({ dns: false, files });
    expect(actionOf(plan, "remove-coredns")).toBeUndefined();
    expect(plan.warnings.map(({ message }) => message).join()).toContain(`${corednsPath} was edited`);
  });

  test("is not looked for among files that were never ours", () => {
    const files = [{ path: corednsPath, mode: 0o644, content, secret: false }];
    expect(actionOf(planOf({ dns: false, files }), "remove-coredns")).toBeUndefined();
  });
});

test("an add-on that is turned on is waited for, one that a master has is not", () => {
  const { config, options } = masterInputOf({ version: "v1.20.2", config: { addons: ["coredns", "metrics-server"] } });
  const optionsFile = { path: paths.options, mode: 0o600, content: "", secret: true };
  const features = featuresOf("v1.20.2");
  const input = { config, features, observed, options, hasOtherNodes: false, nodeName: "machine-1", optionsFile };
  const plan = planAddon({ ...input, revision: "two", name: "metrics-server" });
  expect(plan.steps.find(({ id }) => id === "available-metrics-server")?.needs).toEqual(["addon-metrics-server"]);
  const { probe } = actionOf(plan, "available-metrics-server") as Extract<Action, { readonly kind: "wait" }>;
  expect(probe).toMatchObject({ workloads: [{ kind: "Deployment", metadata: { name: "metrics-server" } }] });
  const whole = planMaster(masterInputOf({ version: "v1.20.2", config: { addons: ["metrics-server"] } }));
  expect(actionOf(whole, "addon-metrics-server")).toBeDefined();
  expect(actionOf(whole, "available-metrics-server")).toBeUndefined();
});

describe("the person's own add-ons", () => {
  const one = { name: "one.yaml", content: "one" };

  test("are written, and those that have left the folder go", () => {
    const files = earlier({ path: `${paths.addons}/two.yaml`, content: "two" });
    const plan = planOf({ options: { addons: [one] }, files });
    expect(filesOf(plan).find(({ path }) => path === `${paths.addons}/one.yaml`)?.content).toBe("one");
    expect(actionOf(plan, "stale-files")).toEqual({ kind: "remove-files", paths: [`${paths.addons}/two.yaml`] });
  });

  test.each([
    ["an owner's file", [{ path: `${paths.addons}/one.yaml`, mode: 0o644, content: "theirs", secret: false }]],
    ["one of ours that somebody has edited", [
      ...earlier({ path: `${paths.addons}/one.yaml`, content: "before" }).slice(0, 1),
      { path: `${paths.addons}/one.yaml`, mode: 0o644, content: "edited", secret: false },
    ]],
  ])("never take the place of %s", (_, files) => {
    const plan = planOf({ options: { addons: [one] }, files });
    const present = new Map(files.map(({ path, mode, content }) => [path, { mode, content }]));
    const before = hostBeforeFile(observed.host, new Map());
    if (before) present.set(before.path, before);
    const check = (): void => {
      refuseForeignFiles(plan, { ...observed, files: present });
    };
    expect(check).toThrow(`${paths.addons}/one.yaml would be overwritten`);
    present.set(`${paths.addons}/one.yaml`, { mode: 0o644, content: "one" });
    expect(check).not.toThrow();
  });
});

describe("what is in the way is named, with the ways out", () => {
  function problemsWith(path: string, before: boolean) {
    const plan = planOf({ options: { addons: [{ name: "mine.yaml", content: "one" }] } });
    const edited = { mode: 0o644, content: "edited" };
    const record = hostBeforeFile(observed.host, new Map(before ? [[path, edited]] : []));
    const files = new Map([[path, edited], ...(record ? [[record.path, record] as const] : [])]);
    try {
      refuseForeignFiles(plan, { ...observed, files });
    } catch (error) {
      return (error as TsdeployError).problems;
    }
    return [];
  }

  test.each([
    ["an add-on of ours", corednsPath, false, ["Remove it", "addon disable coredns", "--addons"]],
    ["a file of --addons", `${paths.addons}/mine.yaml`, false, ["Remove it", "folder of --addons"]],
    ["a manifest", `${paths.manifests}/master-multi.json`, true, ["--extra-arg", "--patches"]],
    ["a PKI", `${paths.pki}/apiserver.crt`, true, ["ca.key"]],
    ["another file", paths.kubeletConfig, true, ["move it away"]],
  ] as const)("%s", (_, path, before, words) => {
    const [problem, ...more] = problemsWith(path, before);
    expect(more).toEqual([]);
    expect(problem?.message).toContain(path);
    for (const word of words) expect(problem?.hint).toContain(word);
    if (!path.startsWith(paths.pki)) expect(problem?.hint).not.toContain("PKI");
  });
});
