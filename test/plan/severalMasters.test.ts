import { describe, expect, it } from "vitest";
import { paths } from "../../src/model/hostLayout.js";
import type { ActionOf, Plan } from "../../src/model/plan.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { container } from "../host/fixtures.js";
import { masterInputOf, observed, workerInputOf } from "./fixtures.js";

const config = { severalMasters: true };
const version = "v1.36.2";

function needsOf(plan: Plan, id: string): readonly string[] {
  return plan.steps.find((step) => step.id === id)?.needs ?? [];
}

function etcdOf(plan: Plan): ActionOf<"run-container"> {
  const action = plan.steps.find(({ id }) => id === "etcd")?.action;
  if (action?.kind !== "run-container") throw new Error("no etcd");
  return action;
}

const first = planMaster(masterInputOf({ version, config }));
const withData = { ...observed, host: { ...observed.host, etcdData: true } };
const again = planMaster(masterInputOf({ version, config, observed: withData }));
const further = planMaster({ ...masterInputOf({ version, config }), joins: "10.0.0.9" });

describe("the first of several masters", () => {
  it("has an etcd that peers and other masters reach, with certificates only", () => {
    const { command } = etcdOf(first).container;
    expect(command).toContain("--listen-peer-urls=https://10.0.0.5:2380");
    expect(command).toContain("--listen-client-urls=https://127.0.0.1:2379,https://10.0.0.5:2379");
    expect(command).toContain("--peer-client-cert-auth=true");
    expect(command).toContain("--client-cert-auth=true");
    expect(command.join(" ")).not.toContain("http://");
  });

  it("makes a cluster of itself once; its etcd as it lasts makes none, should its data be lost", () => {
    const { command } = etcdOf(first).container;
    expect(command).toContain("--initial-cluster=machine-1=https://10.0.0.5:2380");
    expect(command).toContain("--initial-cluster-state=new");
    const lasts = first.steps.find(({ id }) => id === "etcd-lasts")?.action;
    if (lasts?.kind !== "replace-container") throw new Error("etcd is not replaced");
    expect(lasts.values).toEqual({ etcdMembers: "machine-1=https://10.0.0.5:2380" });
    expect(lasts.container.command).toContain("--initial-cluster-state=existing");
    expect(needsOf(first, "kubelet")).toContain("etcd-lasts");
    // Otherwise etcd would start anew at each run.
    expect(etcdOf(again).container).toEqual(lasts.container);
    expect(again.steps.map(({ id }) => id)).not.toContain("etcd-lasts");
  });

  it("elects leaders", () => {
    const manifests = filesOf(first).filter(({ path }) => path.startsWith(paths.manifests));
    expect(manifests.map(({ content }) => content).join("")).not.toContain("--leader-elect=false");
  });
});

describe("a further master", () => {
  it("is a member of etcd that votes before its API server starts", () => {
    expect(needsOf(further, "etcd")).toContain("etcd-member");
    expect(needsOf(further, "etcd-votes")).toContain("etcd");
    expect(needsOf(further, "kubelet")).toContain("etcd-votes");
    const added = further.steps.find(({ id }) => id === "etcd-member")?.action;
    expect(added).toEqual({
      kind: "add-member",
      member: { name: "machine-1", peerUrl: "https://10.0.0.5:2380" },
      from: "10.0.0.9",
    });
  });

  it("gives itself no pod CIDR: the first part is another node's", () => {
    expect(further.steps.map(({ id }) => id)).not.toContain("pod-cidr");
  });

  it("is no other than the first when both run", () => {
    expect(containersOf(further)).toEqual(containersOf(again));
  });

  it("leaves the add-ons to the master whose address the cluster shows", () => {
    const elsewhere = { ...config, apiserver: "https://10.0.0.9:6443" };
    const plan = planMaster({ ...masterInputOf({ version, config: elsewhere }), joins: "10.0.0.9" });
    const written = filesOf(plan).map(({ path }) => path);
    expect(written).not.toContain(paths.addonManager);
    expect(written.filter((path) => path.startsWith(paths.addons))).toEqual([]);
    expect(filesOf(first).map(({ path }) => path)).toContain(paths.addonManager);
  });

  it("with data is a member already", () => {
    const resumed = planMaster({ ...masterInputOf({ version, config, observed: withData }), joins: "10.0.0.9" });
    expect(resumed.steps.map(({ id }) => id)).not.toContain("etcd-member");
    expect(needsOf(resumed, "kubelet")).toContain("etcd-votes");
  });
});

describe("a master whose etcd is replaced", () => {
  const running = { "io.tsdeploy.component": "etcd", "io.tsdeploy.cluster": "kubernetes" };
  const planWith = (spec: string): Plan => {
    const containers = [container("kube_etcd", { ...running, "io.tsdeploy.spec": spec })];
    const host = { ...withData, engine: { ...withData.engine, containers } };
    return planMaster(masterInputOf({ version, config, observed: host }));
  };

  it("waits before anything until the other members can do without it", () => {
    const plan = planWith("another");
    expect(needsOf(plan, "files")).toContain("etcd-spared");
    expect(needsOf(plan, "etcd")).toContain("etcd-spared");
  });

  it("asks nobody where etcd stays as it is", () => {
    const plan = planWith(etcdOf(again).container.labels["io.tsdeploy.spec"] ?? "");
    expect(plan.steps.map(({ id }) => id)).not.toContain("etcd-spared");
  });
});

describe("a worker of several masters", () => {
  const plan = planWorker({ ...workerInputOf({ version, config }), masters: ["10.0.0.9", "10.0.0.5"] });

  it("reaches them by its own loopback, which HAProxy brings to any that lives", () => {
    expect(needsOf(plan, "kubelet")).toContain("haproxy");
    const haproxy = containersOf(plan).find(({ component }) => component === "haproxy");
    expect(haproxy?.command).toContain("127.0.0.1:6443");
    expect(haproxy?.privileged).toBe(false);
    const list = filesOf(plan).find(({ path }) => path === paths.mastersList);
    expect(list?.content).toBe("10.0.0.5:6443\n10.0.0.9:6443\n");
  });

  it("goes by the owner's endpoint where there is one, and what it went by before is removed at last", () => {
    const labels = { "io.tsdeploy.component": "haproxy", "io.tsdeploy.cluster": "kubernetes" };
    const host = { ...observed, engine: { ...observed.engine, containers: [container("kube_haproxy", labels)] } };
    const input = workerInputOf({ version, config: { ...config, controlPlaneEndpoint: "k8s.example.com:8443" }, observed: host });
    const moved = planWorker({ ...input, masters: ["10.0.0.5"] });
    expect(containersOf(moved).map(({ component }) => component)).not.toContain("haproxy");
    expect(filesOf(moved).map(({ path }) => path)).not.toContain(paths.mastersList);
    expect(needsOf(moved, "haproxy-gone")).toEqual(["proxy", "node-ready"]);
    expect(moved.steps.find(({ id }) => id === "haproxy-gone")?.action).toMatchObject({ kind: "remove-containers" });
  });

  it("of one master has nothing of the kind", () => {
    const single = planWorker(workerInputOf({ version }));
    expect(containersOf(single).map(({ component }) => component)).not.toContain("haproxy");
    expect(filesOf(single).map(({ path }) => path)).not.toContain(paths.mastersList);
  });
});
