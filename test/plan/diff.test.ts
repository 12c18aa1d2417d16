import { describe, expect, test } from "vitest";
import { acceptedOptionsFile } from "../../src/config/acceptedOptions.js";
import { defined } from "../../src/model/defined.js";
import type { ContainerDetails } from "../../src/model/dockerObjects.js";
import { filledNetwork } from "../../src/model/hostFile.js";
import { paths } from "../../src/model/hostLayout.js";
import type { MasterOptions } from "../../src/model/options.js";
import type { Plan } from "../../src/model/plan.js";
import { describePlan } from "../../src/plan/describePlan.js";
import { bindText, containersOf, diffPlan, filesOf, type PlanDiff, type Present } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { masterInput, masterOptions, observed, secretText, workerInput, workerInputOf } from "./fixtures.js";

const manifest = `${paths.manifests}/master-multi.json`;

/** A host on which this plan was carried out. */
function hostOf(plan: Plan): Present {
  return {
    containers: containersOf(plan).map(
      (spec): ContainerDetails => ({
        id: spec.component,
        name: `kube_${spec.component}_x`,
        image: spec.image,
        imageId: "sha256:1",
        command: spec.command,
        // Docker's own order and words.
        binds: spec.binds.map((bind) => bindText(bind).replace(/^([^:]+:[^:]+)$/, "$1:rw")).reverse(),
        labels: spec.labels,
        ...defined({ openFiles: spec.openFiles }),
        running: true,
        exitCode: 0,
        pid: 1,
        state: "running",
        restartCount: 0,
        startedAt: "2026-01-01T00:00:00Z",
        ipcMode: "host",
        restartPolicy: "always",
      }),
    ),
    files: new Map(filesOf(plan).map(({ path, content, mode }) => [path, { content, mode }])),
  };
}

const plan = planMaster(masterInput);
const host = hostOf(plan);

function diffWith(options: Partial<MasterOptions>): PlanDiff {
  const changed = planMaster({ ...masterInput, options: { ...masterOptions, ...options } });
  return diffPlan(changed, host, { overwrite: false });
}

function withFile(path: string, change: (content: string) => string, mode?: number): Present {
  const file = host.files.get(path);
  if (!file) throw new Error(path);
  return { ...host, files: new Map(host.files).set(path, { content: change(file.content), mode: mode ?? file.mode }) };
}

test.each([plan, planWorker(workerInput)])("nothing changes where the plan of a $role was carried out", (same) => {
  expect(diffPlan(same, hostOf(same), { overwrite: false })).toEqual({ changes: [], kept: [] });
});

test("on a fresh host everything is added", () => {
  const { changes, kept } = diffPlan(plan, { containers: [], files: new Map() }, { overwrite: false });
  expect(changes.every(({ change }) => change === "add")).toBe(true);
  expect(changes).toHaveLength(filesOf(plan).length + containersOf(plan).length);
  expect(kept).toEqual([]);
});

test("a flag of the kubelet replaces the kubelet alone, and shows just that flag", () => {
  expect(diffWith({ extraArgs: { kubelet: { "max-pods": "50" } } }).changes).toEqual([
    { kind: "container", component: "kubelet", change: "replace", lines: ["+ --max-pods=50"] },
  ]);
});

test("a changed image shows in every container", () => {
  const config = { ...masterInput.config, image: "other:v1.20.2" };
  const { changes } = diffPlan(planMaster({ ...masterInput, config }), host, { overwrite: false });
  const lines = changes.flatMap((change) => (change.kind === "container" ? [change.lines.slice(0, 2)] : []));
  expect(lines).toEqual(Array(2).fill(["- image tsdeploy/hyperkube:v1.20.2", "+ image other:v1.20.2"]));
});

test("a changed configuration of the kubelet replaces its container, and the file shows how", () => {
  const patches = [{ target: "kubelet", type: "merge", body: { maxPods: 50 }, file: "p" }] as const;
  expect(diffWith({ patches }).changes).toEqual([
    { kind: "file", path: paths.kubeletConfig, change: "change", lines: ["+ maxPods: 50"] },
    { kind: "container", component: "kubelet", change: "replace", lines: ["  its configuration file has changed"] },
  ]);
});

test("a flag of the API server changes the manifest and no container of ours", () => {
  const { changes } = diffWith({ extraArgs: { apiserver: { "max-requests-inflight": "7" } } });
  expect(changes).toMatchObject([{ kind: "file", path: manifest, change: "change" }]);
  expect(changes[0]?.lines.join("\n")).toContain("--max-requests-inflight=7");
  expect(changes[0]?.lines.length).toBeLessThan(8);
});

test("etcd may open as many files as Docker has to give, and a change of that shows", () => {
  const with_ = (openFiles: number): Plan =>
    planMaster({ ...masterInput, observed: { ...observed, host: { ...observed.host, openFiles } } });
  const etcd = (of: Plan) => containersOf(of).find(({ component }) => component === "etcd")?.openFiles;
  expect([etcd(plan), etcd(with_(1_073_741_816)), etcd(with_(4096))]).toEqual([524_288, 524_288, 4096]);
  expect(diffPlan(with_(1_048_576), host, { overwrite: false }).changes).toEqual([]);
  expect(diffPlan(with_(4096), host, { overwrite: false }).changes).toEqual([
    { kind: "container", component: "etcd", change: "replace", lines: ["- open files 524288", "+ open files 4096"] },
  ]);
});

test("a stopped container is started again", () => {
  const containers = host.containers.map((container) => ({ ...container, running: container.id !== "etcd" }));
  expect(diffPlan(plan, { ...host, containers }, { overwrite: false }).changes).toEqual([
    { kind: "container", component: "etcd", change: "start", lines: [] },
  ]);
});

describe("a manifest that was edited on the host", () => {
  const edited = withFile(manifest, (text) => text.replace("--allow-privileged=true", "--allow-privileged=false"));
  test("stays, and is shown", () => {
    const { changes, kept } = diffPlan(plan, edited, { overwrite: false });
    expect(changes).toEqual([]);
    expect(kept.map(({ path }) => path)).toEqual([manifest]);
    expect(kept[0]?.lines.map((line) => line.replace(/ +/g, " "))).toEqual([
      '- "--allow-privileged=true",',
      '+ "--allow-privileged=false",',
    ]);
  });

  test("stays when options change, too", () => {
    const changed = planMaster({
      ...masterInput,
      options: { ...masterOptions, extraArgs: { apiserver: { v: "4" } } },
    });
    expect(diffPlan(changed, edited, { overwrite: false })).toMatchObject({ changes: [], kept: [{ path: manifest }] });
  });

  test("goes with --overwrite", () => {
    expect(diffPlan(plan, edited, { overwrite: true })).toMatchObject({
      changes: [{ kind: "file", path: manifest, change: "overwrite" }],
      kept: [],
    });
  });
});

test("a secret file that differs is named, not shown", () => {
  const path = `${paths.pki}/apiserver.key`;
  const { changes } = diffPlan(plan, withFile(path, () => "OTHER-SECRET"), { overwrite: false });
  expect(changes).toEqual([{ kind: "file", path, change: "change", lines: [] }]);
});

test("a mode that is too open is put right", () => {
  const path = `${paths.pki}/apiserver.key`;
  const { changes } = diffPlan(plan, withFile(path, (text) => text, 0o644), { overwrite: false });
  expect(changes).toEqual([{ kind: "file", path, change: "change", lines: ["- mode 0644", "+ mode 0600"] }]);
});

test("--dry-run tells the difference, without secrets", () => {
  const difference = diffPlan(plan, withFile(paths.kubeletConf, () => "OTHER-SECRET"), { overwrite: false });
  const { text, data } = describePlan(plan, difference);
  expect(text).toContain(`change ${paths.kubeletConf}`);
  for (const secret of ["OTHER-SECRET", secretText]) {
    expect(text).not.toContain(secret);
    expect(JSON.stringify(data)).not.toContain(secret);
  }
  expect(describePlan(plan, { changes: [], kept: [] }).text).toContain("Changes: none");
});

test("what a run accepted may hold anything: a difference of it is named, not shown", () => {
  const found = { k8sVersion: "v1.20.2", ip: ["10.0.0.5"], nodeName: "machine-1" } as const;
  const withMirror = (mirror: string): Plan =>
    planMaster({ ...masterInput, otherFiles: [acceptedOptionsFile({ ...masterOptions, ...found, mirror })] });
  const before = hostOf(withMirror("https://me:OLD-PASSWORD@files.example.com"));
  const wanted = withMirror("https://me:NEW-PASSWORD@files.example.com");
  const difference = diffPlan(wanted, before, { overwrite: false });
  expect(difference.changes).toEqual([{ kind: "file", path: paths.options, change: "change", lines: [] }]);
  const { text, data } = describePlan(wanted, difference);
  expect(text + JSON.stringify(data)).not.toContain("PASSWORD");
  expect(text).toContain(`0600 ${paths.options}  secret, not shown`);
});

test("a pod network's file with both of a node's pod CIDRs is the planned one, and with something else is not", () => {
  const podCidr = ["10.244.0.0/16", "fd00:10:244::/56"] as const;
  const dual = planWorker(workerInputOf({ version: "v1.36.2", config: { podCidr } }));
  const file = dual.steps.flatMap(({ action }) => (action.kind === "write-pod-network" ? [action.file] : []))[0];
  const onHost = hostOf(dual);
  const changesWith = (cidrs: readonly [string, ...string[]]): unknown => {
    const filled = file && filledNetwork(file, cidrs);
    const files = new Map([...onHost.files, [filled?.path ?? "", { mode: 0o644, content: filled?.content ?? "" }]]);
    return diffPlan(dual, { ...onHost, files }, { overwrite: false }).changes.map((change) => change.change);
  };
  expect(changesWith(["10.244.3.0/24", "fd00:10:244:3::/64"])).toEqual([]);
  expect(changesWith(["10.244.3.0/24"])).toEqual(["change"]);
});
