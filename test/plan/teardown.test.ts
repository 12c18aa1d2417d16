import { describe, expect, it } from "vitest";
import { acceptedOptionsFile } from "../../src/config/acceptedOptions.js";
import { type Footprint, parseFootprint } from "../../src/host/footprint.js";
import { writtenFilesRecord } from "../../src/host/writtenFiles.js";
import { valueOfKubernetes } from "../../src/kubernetes/sysctls.js";
import type { CleanupScope } from "../../src/model/cleanupScope.js";
import type { ContainerSummary } from "../../src/model/dockerObjects.js";
import type { ExistingFile } from "../../src/model/hostFacts.js";
import type { Action, ActionOf } from "../../src/model/plan.js";
import type { TeardownPlan } from "../../src/model/teardownPlan.js";
import { isNothingToDo, type LeavePlan, planTeardown, teardownLookout } from "../../src/plan/planTeardown.js";
import { container, engineFacts, podContainer } from "../host/fixtures.js";
import { masterOptions } from "./fixtures.js";

const before = {
  sysctls: { "kernel.panic": "0", "vm.overcommit_memory": "0", "net.netfilter.nf_conntrack_max": "1000" },
  paths: ["/opt", "/etc/cni", "/etc/cni/net.d"],
  cniConfigurations: ["99-user.conf"],
  iptables: ["iptables-nft filter", "iptables-nft nat KUBE-OWN"],
  links: ["lo", "eth0", "cbr0"],
  files: ["/etc/cni/net.d/99-user.conf"],
  entries: ["/var/lib/kubelet/config.json"],
};
const file = (content = ""): ExistingFile => ({ mode: 0o600, content });
const options = acceptedOptionsFile({ ...masterOptions, k8sVersion: "v1.20.2", ip: ["10.0.0.5"], nodeName: "one" });
const masterFiles = new Map([
  ["/etc/kubernetes/host-before.json", file(JSON.stringify(before))],
  ["/etc/kubernetes/tsdeploy.yaml", file(options.content)],
  ["/etc/kubernetes/pki/ca.crt", file()],
  ["/etc/kubernetes/pki/ca.key", file()],
]);
const workerFiles = new Map([
  ["/etc/kubernetes/host-before.json", file(JSON.stringify(before))],
  ["/etc/kubernetes/pki/ca.crt", file()],
]);
const own = (component: string, role = "master", more: Partial<ContainerSummary> = {}) =>
  container(
    component,
    { "io.tsdeploy.component": component, "io.tsdeploy.role": role, "io.tsdeploy.cluster": "kubernetes" },
    { name: `kube_${component}_x`, ...more },
  );
const fromFile = { "annotation.kubernetes.io/config.source": "file", "io.tsdeploy.spec": "0" };
const grace = "annotation.io.kubernetes.pod.terminationGracePeriod";
const pods = [
  podContainer("sandbox-api", "k8s-master", "POD", fromFile),
  podContainer("api", "k8s-master", "apiserver", { [grace]: "30" }),
  podContainer("sandbox-web", "web", "POD", { "annotation.kubernetes.io/config.source": "api" }),
  podContainer("web", "web", "nginx", { [grace]: "60" }),
  podContainer("old", "old", "nginx"),
];
const users = container("users", { app: "database" });
const nothing = parseFootprint("");
const timeoutMs = 120_000;

function plan(
  containers: readonly ContainerSummary[],
  { footprint = nothing, files = masterFiles, force = false, purge = false, leave }: {
    footprint?: Footprint;
    files?: ReadonlyMap<string, ExistingFile>;
    force?: boolean;
    purge?: boolean;
    leave?: LeavePlan;
  } = {},
): TeardownPlan {
  const engine = { ...engineFacts, containers };
  return planTeardown({ engine, footprint, files, options: { force, purge, timeoutMs }, helperId: "this-helper", leave });
}
const actions = <Kind extends Action["kind"]>({ steps }: TeardownPlan, kind: Kind): ActionOf<Kind>[] =>
  steps.map(({ action }) => action).filter((action): action is ActionOf<Kind> => action.kind === kind);
const stops = ({ steps }: TeardownPlan): [string, [string, number][]][] =>
  steps.flatMap(({ phase, action }) =>
    action.kind === "stop-containers"
      ? [[phase, action.containers.map(({ id, graceSeconds }): [string, number] => [id, graceSeconds])]]
      : [],
  );
const removes = (teardown: TeardownPlan): string[][] =>
  actions(teardown, "remove-containers").map(({ containers }) => ids(containers));
/** All that is cleaned, the records included. */
const cleanup = (teardown: TeardownPlan): CleanupScope => {
  const [action] = actions(teardown, "clean-host");
  if (!action) throw new Error("nothing is cleaned");
  return { ...action.scope, paths: [...action.scope.paths, ...action.scope.records] };
};
const ids = (containers: readonly { id: string }[]): string[] => containers.map(({ id }) => id).sort();

describe("containers of a master", () => {
  const master = [own("etcd"), own("kubelet"), ...pods, users];

  it("stop in order: kubelet, pods by their own grace period, control plane, etcd", () => {
    expect(stops(plan(master))).toEqual([
      ["kubelet", [["kubelet", 10]]],
      ["pods", [["web", 60], ["old", 30]]],
      ["control plane", [["api", 2]]],
      ["etcd", [["etcd", 10]]],
    ]);
  });

  it("are killed by their removal when forced, but for etcd, which writes data that stays", () => {
    const teardown = plan(master, { force: true });
    expect(stops(teardown)).toEqual([
      ["kubelet", [["kubelet", 0]]],
      ["etcd", [["etcd", 10]]],
    ]);
    expect(removes(teardown)[0]).toEqual(["api", "etcd", "old", "sandbox-api", "sandbox-web", "web"]);
  });

  it("go all but the user's, the kubelet's last", () => {
    const teardown = plan(master);
    expect(removes(teardown)).toEqual([["api", "etcd", "old", "sandbox-api", "sandbox-web", "web"], ["kubelet"]]);
    expect(teardown).toMatchObject({ role: "master", clusterName: "kubernetes" });
  });

  it("are killed when their grace period is over, or --timeout is", () => {
    const hours = podContainer("hours", "hours", "nginx", { [grace]: "7200" });
    expect(stops(plan([own("kubelet"), hours]))[1]).toEqual(["pods", [["hours", 120]]]);
  });

  it("that do not run are only removed", () => {
    const teardown = plan([own("etcd", "master", { state: "exited" }), own("kubelet", "master", { state: "created" })]);
    expect(stops(teardown)).toEqual([]);
    expect(removes(teardown)).toEqual([["etcd"], ["kubelet"]]);
  });
});

describe("containers of a worker", () => {
  const worker = [own("kubelet", "worker"), own("proxy", "worker"), users];

  it("leave the cluster before anything stops", () => {
    const leave = { node: "two", evictionApiVersion: "policy/v1" };
    const { steps } = plan(worker, { files: workerFiles, leave });
    expect(steps.map(({ id }) => id)).toEqual([
      "drain-node",
      "remove-node",
      "stop-kubelet",
      "remove-containers",
      "remove-kubelet",
      "clean-up",
    ]);
    expect(steps.slice(1).map(({ needs }) => needs)).toEqual(steps.slice(0, -1).map(({ id }) => [id]));
  });

  it("of a first run that failed only give their Node object back", () => {
    const { steps } = plan(worker, { files: workerFiles, leave: { node: "two" } });
    expect(steps[0]).toMatchObject({ id: "remove-node", action: { node: "two" } });
  });

  it("are found when the kubelet's was removed by hand", () => {
    expect(removes(plan([own("proxy", "worker"), ...pods]))[0]).toContain("web");
  });
});

describe("systemd's units of a kubelet's cgroups", () => {
  it("are named where their folders are gone, and go with them where they are there", () => {
    const units = "unit kubepods.slice\nunit kubepods-besteffort.slice\n";
    const left = (footprint: string): readonly string[] =>
      plan([], { footprint: parseFootprint(footprint) }).leftovers.filter((line) => /kubepods/.test(line));
    expect(left(units)).toEqual(["systemd unit kubepods.slice", "systemd unit kubepods-besteffort.slice"]);
    expect(left(`${units}cgroup /sys/fs/cgroup/kubepods.slice\n`)).toEqual(["cgroup /sys/fs/cgroup/kubepods.slice"]);
  });
});

describe("what is not ours", () => {
  it("is not touched on a host that tsdeploy never used", () => {
    const footprint = parseFootprint("chain iptables-nft nat KUBE-SERVICES\npath /etc/kubernetes/pki\nlink cni0\n");
    const teardown = plan([users, ...pods.slice(2)], { files: new Map(), footprint, purge: true });
    expect(isNothingToDo(teardown)).toBe(true);
    expect(teardown.steps).toEqual([]);
  });

  it("stops a teardown: pods of another kubelet where ours is gone", () => {
    expect(() => plan(pods.slice(2), { purge: true })).toThrow(/OTHER_KUBELET/);
  });

  it("stops a teardown: a kubelet that is no container of ours", () => {
    const footprint = parseFootprint("kubelet 4711 -\n");
    expect(() => plan([], { footprint, purge: true })).toThrow(/OTHER_KUBELET.*4711/);
    expect(() => plan([own("kubelet")], { footprint: parseFootprint("kubelet 4711 kubelet\n") })).not.toThrow();
  });

  it("are chains, links, sysctls and folders of before the first run", () => {
    const footprint = parseFootprint("sysctl kernel.panic 10\n");
    const teardown = plan([own("kubelet")], { footprint });
    const scope = cleanup(teardown);
    expect(scope.before).toContain("iptables-nft nat KUBE-OWN");
    expect(scope.links).toContain("cni0");
    expect(scope.links).not.toContain("cbr0");
    expect(scope.sysctls).toEqual(before.sysctls);
    expect(teardown.leftovers).toContain("sysctl kernel.panic from 10 back to 0");
    // What kube-proxy computes may be anything; start.sh sets 2 and nothing else.
    expect(valueOfKubernetes("net.netfilter.nf_conntrack_max")).toBeUndefined();
    expect(valueOfKubernetes("net.ipv6.conf.eth0/7.accept_ra")).toBe("2");
    expect(scope.emptyFolders).toContain("/opt/cni/bin");
    expect(scope.emptyFolders).not.toContain("/etc/cni/net.d");
    expect(scope.emptyFolders).not.toContain("/opt");
  });

  it("are helpers of runs that are still going", () => {
    const helper = (id: string, state: string) => container(id, { "io.tsdeploy.component": "helper" }, { state });
    const helpers = [helper("this-helper", "running"), helper("other", "running"), helper("dead", "created")];
    expect(removes(plan(helpers, { files: new Map() }))).toEqual([["dead"]]);
  });
});

describe("what kube-proxy leaves", () => {
  const footprint = parseFootprint(
    "nft-table ip kube-proxy\nipset KUBE-LOOP-BACK\nipvs TCP 10.96.0.1:443\nforeign-ipvs TCP 192.0.2.1:80\n",
  );

  it("is removed, but for virtual servers that may be another's: these are named", () => {
    const teardown = plan([own("kubelet")], { footprint });
    expect(teardown.leftovers).toEqual([
      "nft table ip kube-proxy",
      "ipset KUBE-LOOP-BACK",
      "IPVS virtual server TCP 10.96.0.1:443",
    ]);
    expect(teardown.foreignVirtualServers).toEqual(["TCP 192.0.2.1:80"]);
  });

  it("is left alone if it was there before the first run; older records do not say", () => {
    const record = JSON.stringify({ ...before, kubeProxy: ["ipset KUBE-OWN"] });
    const files = new Map([...masterFiles, ["/etc/kubernetes/host-before.json", file(record)] as const]);
    expect(teardownLookout(files).before).toContain("ipset KUBE-OWN");
    expect(teardownLookout(masterFiles).before).toEqual(before.iptables);
  });
});

describe("what stays", () => {
  const footprint = parseFootprint(
    "path /etc/kubernetes/pki\npath /etc/kubernetes/admin.conf\npath /var/lib/etcd/member\netcd-data /var/lib/etcd\n",
  );

  it("is the cluster's identity and data, on a master", () => {
    const teardown = plan([own("kubelet")], { footprint });
    expect(teardown.keeps).toEqual([
      "/etc/kubernetes/pki",
      "/etc/kubernetes/tsdeploy.yaml",
      "/etc/kubernetes/host-before.json",
      "/var/lib/etcd",
    ]);
    expect(teardown.leftovers).toEqual(["file or folder /etc/kubernetes/admin.conf"]);
    expect(cleanup(teardown).paths).not.toContain("/etc/kubernetes/pki");
    expect(cleanup(teardown).paths.filter((path) => path.startsWith("/var/lib/etcd"))).toEqual([
      "/var/lib/etcd/member-before-upgrade.part",
    ]);
  });

  it("is no copy of etcd's data that was cut off", () => {
    const cutOff = "path /var/lib/etcd/member\npath /var/lib/etcd/member-before-upgrade.part\netcd-data /var/lib/etcd\n";
    const teardown = plan([], { footprint: parseFootprint(cutOff) });
    expect(teardown.keeps).toContain("/var/lib/etcd");
    expect(teardown.leftovers).toEqual(["file or folder /var/lib/etcd/member-before-upgrade.part"]);
    expect(cleanup(teardown).paths).toContain("/var/lib/etcd/member-before-upgrade.part");
  });

  it("is nothing with --purge", () => {
    const teardown = plan([], { footprint, purge: true });
    expect(teardown.keeps).toEqual([]);
    expect(teardown.leftovers).toHaveLength(3);
    expect(cleanup(teardown).paths).toEqual(expect.arrayContaining(["/etc/kubernetes/pki", "/var/lib/etcd/member"]));
  });

  it("is whatever is not ours: an etcd, add-ons, a kubelet's configuration, files that were there", () => {
    const addon = '{"kind":"ConfigMap"}';
    const mine = "/etc/kubernetes/addons/mine.json";
    const written = writtenFilesRecord([{ path: "/etc/kubernetes/addons/ours.json", mode: 0o644, content: addon, secret: false }], new Map());
    const record = { ...before, files: ["/etc/kubernetes/pki/ca.key", "/etc/kubernetes/admin.conf"] };
    const files = new Map([
      ...masterFiles,
      ["/etc/kubernetes/host-before.json", file(JSON.stringify(record))],
      [written.path, file(written.content)],
      ["/etc/kubernetes/admin.conf", file()],
      ["/etc/kubernetes/addons/ours.json", file(addon)],
      [mine, file(addon)],
    ]);
    const teardown = plan([own("kubelet")], { files, purge: true });
    const { paths, keeps } = cleanup(teardown);
    expect(paths).toEqual(expect.arrayContaining(["/etc/kubernetes/pki/ca.crt", "/etc/kubernetes/addons/ours.json"]));
    expect(paths.filter((path) => [mine, "/etc/kubernetes/pki", "/etc/kubernetes/pki/ca.key", "/etc/kubernetes/admin.conf"].includes(path))).toEqual([]);
    expect(paths.filter((path) => path.startsWith("/var/lib/etcd"))).toEqual([
      "/var/lib/etcd/member",
      "/var/lib/etcd/member-before-upgrade*",
    ]);
    expect(keeps).toEqual(["/var/lib/kubelet/config.json"]);
    expect(teardown.foreign).toEqual([mine]);
  });

  it("is any etcd's data, on a worker", () => {
    const teardown = plan([own("kubelet", "worker")], { files: workerFiles, footprint, purge: true });
    const { paths, emptyFolders } = cleanup(teardown);
    expect([...paths, ...emptyFolders].filter((path) => path.startsWith("/var/lib/etcd"))).toEqual([]);
  });

  it("is nothing on a master that leaves others, nor on one that they have removed, whose Node may be another's", () => {
    const member = { known: { id: "5", name: "one" }, from: "10.0.0.9" };
    const footprint = parseFootprint("path /etc/kubernetes/pki\npath /var/lib/etcd/member\netcd-data /var/lib/etcd\n");
    const leaving = plan([own("etcd"), own("kubelet")], { footprint, leave: { node: "one", member } });
    expect(leaving.steps.slice(0, 2).map(({ id }) => id)).toEqual(["remove-node", "remove-member"]);
    const removed = plan([own("etcd"), own("kubelet")], { footprint, leave: { node: "one", member: { ...member, known: undefined } } });
    expect(removed.steps.map(({ id }) => id)).not.toContain("remove-node");
    for (const { keeps } of [leaving, removed]) expect(keeps).toEqual([]);
  });

  it("is nothing on a worker: all can be made again", () => {
    const teardown = plan([own("kubelet", "worker")], { files: workerFiles });
    expect(teardown.keeps).toEqual([]);
    expect(cleanup(teardown).paths).toContain("/etc/kubernetes/host-before.json");
  });

  it("is nothing to do the second time", () => {
    const second = parseFootprint("path /etc/kubernetes/pki\npath /var/lib/etcd/member\netcd-data /var/lib/etcd\n");
    expect(isNothingToDo(plan([users], { footprint: second }))).toBe(true);
  });
});

describe("teardownLookout", () => {
  it("looks at all that could go, with the values to go back to", () => {
    const scope = teardownLookout(masterFiles);
    expect(scope.paths).toEqual(expect.arrayContaining(["/etc/kubernetes/pki", "/var/lib/etcd/member"]));
    expect(scope.sysctls).toEqual(before.sysctls);
  });

  it("takes no folder away where there is no record of before", () => {
    expect(teardownLookout(new Map()).emptyFolders).toEqual(["/etc/kubernetes/manifests-multi"]);
  });
});
