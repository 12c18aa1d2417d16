import { describe, expect, it } from "vitest";
import { type Footprint, parseFootprint } from "../../src/host/footprint.js";
import type { ContainerSummary } from "../../src/model/dockerObjects.js";
import type { ExistingFile } from "../../src/model/hostFacts.js";
import type { TeardownPlan } from "../../src/model/teardownPlan.js";
import { isNothingToDo, planTeardown, teardownLookout } from "../../src/plan/planTeardown.js";
import { container, engineFacts, podContainer } from "../host/fixtures.js";

const before = {
  sysctls: { "kernel.panic": "0", "vm.overcommit_memory": "0", "net.netfilter.nf_conntrack_max": "1000" },
  paths: ["/opt", "/etc/cni", "/etc/cni/net.d"],
  cniConfigurations: ["99-user.conf"],
  iptables: ["iptables-nft filter", "iptables-nft nat KUBE-OWN"],
  links: ["lo", "eth0", "cbr0"],
};
const file = (content = ""): ExistingFile => ({ mode: 0o600, content });
const masterFiles = new Map([
  ["/etc/kubernetes/host-before.json", file(JSON.stringify(before))],
  ["/etc/kubernetes/tsdeploy.yaml", file()],
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

function plan(
  containers: readonly ContainerSummary[],
  { footprint = nothing, files = masterFiles, force = false, purge = false }: {
    footprint?: Footprint;
    files?: ReadonlyMap<string, ExistingFile>;
    force?: boolean;
    purge?: boolean;
  } = {},
): TeardownPlan {
  const engine = { ...engineFacts, containers };
  return planTeardown({ engine, footprint, files, options: { force, purge }, helperId: "this-helper" });
}
const stops = (teardown: TeardownPlan): [string, [string, number][]][] =>
  teardown.stops.map(({ phase, containers }) => [phase, containers.map(({ id, graceSeconds }) => [id, graceSeconds])]);
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
    expect(ids(teardown.removes)).toEqual(["api", "etcd", "old", "sandbox-api", "sandbox-web", "web"]);
  });

  it("go all but the user's, the kubelet's last", () => {
    const teardown = plan(master);
    expect(ids(teardown.removes)).toEqual(["api", "etcd", "old", "sandbox-api", "sandbox-web", "web"]);
    expect(ids(teardown.removesLast)).toEqual(["kubelet"]);
    expect(teardown).toMatchObject({ role: "master", clusterName: "kubernetes", leavesCluster: false });
  });

  it("that do not run are only removed", () => {
    const teardown = plan([own("etcd", "master", { state: "exited" }), own("kubelet", "master", { state: "created" })]);
    expect(teardown.stops).toEqual([]);
    expect(ids([...teardown.removes, ...teardown.removesLast])).toEqual(["etcd", "kubelet"]);
  });
});

describe("containers of a worker", () => {
  const worker = [own("kubelet", "worker"), own("proxy", "worker"), users];

  it("leave the cluster first, unless forced or already stopped", () => {
    expect(plan(worker, { files: workerFiles }).leavesCluster).toBe(true);
    expect(plan(worker, { files: workerFiles, force: true }).leavesCluster).toBe(false);
    expect(plan([own("kubelet", "worker", { state: "exited" })], { files: workerFiles }).leavesCluster).toBe(false);
  });

  it("are found when the kubelet's was removed by hand", () => {
    expect(ids(plan([own("proxy", "worker"), ...pods]).removes)).toContain("web");
  });
});

describe("what is not ours", () => {
  it("is not touched on a host that tsdeploy never used", () => {
    const footprint = parseFootprint("chain iptables-nft nat KUBE-SERVICES\npath /etc/kubernetes/pki\nlink cni0\n");
    const teardown = plan([users, ...pods.slice(2)], { files: new Map(), footprint, purge: true });
    expect(isNothingToDo(teardown)).toBe(true);
    expect(teardown.cleanup).toBeUndefined();
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
    const { cleanup } = plan([own("kubelet")], {
      footprint: parseFootprint("sysctl kernel.panic 10\nsysctl vm.overcommit_memory 2\nsysctl net.netfilter.nf_conntrack_max 9\n"),
    });
    expect(cleanup?.iptablesBefore).toContain("iptables-nft nat KUBE-OWN");
    expect(cleanup?.links).toContain("cni0");
    expect(cleanup?.links).not.toContain("cbr0");
    // 2 is not what kubelets set: somebody chose it since.
    expect(cleanup?.sysctls).toEqual({ "kernel.panic": "0", "net.netfilter.nf_conntrack_max": "1000" });
    expect(cleanup?.emptyFolders).toContain("/opt/cni/bin");
    expect(cleanup?.emptyFolders).not.toContain("/etc/cni/net.d");
    expect(cleanup?.emptyFolders).not.toContain("/opt");
  });

  it("are helpers of runs that are still going", () => {
    const helper = (id: string, state: string) => container(id, { "io.tsdeploy.component": "helper" }, { state });
    const helpers = [helper("this-helper", "running"), helper("other", "running"), helper("dead", "created")];
    expect(ids(plan(helpers, { files: new Map() }).removes)).toEqual(["dead"]);
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
    expect(teardown.cleanup?.paths).not.toContain("/etc/kubernetes/pki");
    expect(teardown.cleanup?.paths.some((path) => path.startsWith("/var/lib/etcd"))).toBe(false);
  });

  it("is nothing with --purge", () => {
    const teardown = plan([], { footprint, purge: true });
    expect(teardown.keeps).toEqual([]);
    expect(teardown.leftovers).toHaveLength(3);
    expect(teardown.cleanup?.paths).toEqual(expect.arrayContaining(["/etc/kubernetes/pki", "/var/lib/etcd/*"]));
  });

  it("is nothing on a worker: all can be made again", () => {
    const teardown = plan([own("kubelet", "worker")], { files: workerFiles });
    expect(teardown.keeps).toEqual([]);
    expect(teardown.cleanup?.paths).toContain("/etc/kubernetes/host-before.json");
  });

  it("is nothing to do the second time", () => {
    const second = parseFootprint("path /etc/kubernetes/pki\npath /var/lib/etcd/member\netcd-data /var/lib/etcd\n");
    expect(isNothingToDo(plan([users], { footprint: second }))).toBe(true);
  });
});

describe("teardownLookout", () => {
  it("looks at all that could go, with the values to go back to", () => {
    const scope = teardownLookout(masterFiles);
    expect(scope.paths).toEqual(expect.arrayContaining(["/etc/kubernetes/pki", "/var/lib/etcd/*"]));
    expect(scope.sysctls).toEqual(before.sysctls);
  });

  it("takes no folder away where there is no record of before", () => {
    expect(teardownLookout(new Map()).emptyFolders).toEqual(["/etc/kubernetes/manifests-multi"]);
  });
});
