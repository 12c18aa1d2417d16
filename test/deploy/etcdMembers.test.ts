import { beforeEach, describe, expect, it, vi } from "vitest";
import { ApiError } from "../../src/api/kubernetesClient.js";
import { removeLostMember } from "../../src/deploy/etcdMembers.js";
import type { EtcdMember } from "../../src/kubernetes/etcdMembers.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { MemberRemoveOptions } from "../../src/model/options.js";
import type { RunContext } from "../../src/report/runContext.js";
import { etcdClusterOf, memoryEtcd } from "../apply/memory/etcd.js";

/** Masters m1 to m3, of which m3 is lost. */
const world = {
  etcd: etcdClusterOf(),
  nodes: new Map<string, { isReady: boolean; isMaster: boolean }>(),
  /** What the next such request fails with. */
  failures: new Map<string, Error>(),
};

function failOnce(what: string): void {
  const failure = world.failures.get(what);
  world.failures.delete(what);
  if (failure) throw failure;
}

const around = async <T>(what: string, effect: () => T | Promise<T>): Promise<T> => {
  failOnce(what);
  return effect();
};

vi.mock("../../src/deploy/withHelper.js", () => ({
  withHelper: (_options: unknown, _context: unknown, use: (host: unknown) => Promise<unknown>) =>
    use({ helper: { readFiles: () => Promise.resolve(new Map()) } }),
}));
vi.mock("../../src/deploy/hostEtcd.js", () => ({
  HostEtcd: {
    byFiles: () => ({
      ...memoryEtcd(world.etcd, { faults: { around }, here: () => "1", lives: ({ name }) => name !== "m3" }),
      living: () => Promise.resolve(new Set(["1", "2"])),
      close: () => undefined,
    }),
  },
}));
vi.mock("../../src/deploy/hostApi.js", () => ({
  adminApi: () =>
    Promise.resolve({
      get: (path: string) =>
        around(`GET ${path}`, () => {
          const node = world.nodes.get(path.split("/").at(-1) ?? "");
          if (!node) throw new ApiError(404, "NotFound", "not found");
          const labels = node.isMaster ? { "node-role.kubernetes.io/control-plane": "" } : {};
          const conditions = [{ type: "Ready", status: node.isReady ? "True" : "Unknown" }];
          return { metadata: { labels }, status: { conditions } };
        }),
      delete: (path: string) =>
        around(`DELETE ${path}`, () => {
          if (!world.nodes.delete(path.split("/").at(-1) ?? "")) throw new ApiError(404, "NotFound", "not found");
        }),
      close: () => undefined,
    }),
}));

function member(index: number): EtcdMember {
  const peerUrls = [`https://10.0.0.${index}:2380`];
  return { id: String(index), name: `m${index}`, peerUrls, clientUrls: [], isLearner: false };
}

beforeEach(() => {
  world.etcd = etcdClusterOf(member(1), member(2), member(3));
  world.nodes = new Map(["m1", "m2", "m3"].map((name) => [name, { isReady: name !== "m3", isMaster: true }]));
  world.failures.clear();
});

const away = new TsdeployError("unreachable", { code: "AWAY", message: "no answer in time", hint: "Look." });

async function remove(name: string, signal = new AbortController().signal): Promise<void> {
  const options = { name } as MemberRemoveOptions;
  await removeLostMember(options, { signal, report: () => undefined } as unknown as RunContext);
}

const left = (): unknown => [world.etcd.members.map(({ name }) => name), [...world.nodes.keys()]];

describe("a master that is lost", () => {
  it("keeps its Node while etcd's member is there: by that `up --prune` finds it again", async () => {
    world.failures.set("etcd 127.0.0.1 remove 3", away);
    await expect(remove("m3")).rejects.toThrow("AWAY");
    expect(left()).toEqual([["m1", "m2", "m3"], ["m1", "m2", "m3"]]);
    await remove("m3");
    expect(left()).toEqual([["m1", "m2"], ["m1", "m2"]]);
  });

  it("leaves although etcd refuses at first, as while it elects", async () => {
    const refusal = { code: "ETCD_REFUSED", message: "request timed out", hint: "Look." };
    world.failures.set("etcd 127.0.0.1 remove 3", new TsdeployError("failed", refusal));
    await remove("m3");
    expect(left()).toEqual([["m1", "m2"], ["m1", "m2"]]);
  });

  it("whose member alone could be removed is still known by its Node", async () => {
    world.failures.set("DELETE /api/v1/nodes/m3", away);
    await expect(remove("m3")).rejects.toThrow("AWAY");
    expect(left()).toEqual([["m1", "m2"], ["m1", "m2", "m3"]]);
    await remove("m3");
    expect(left()).toEqual([["m1", "m2"], ["m1", "m2"]]);
  });
});

it.each([
  ["is none", undefined],
  ["is of a worker", { isReady: false, isMaster: false }],
  ["reports", { isReady: true, isMaster: true }],
])("without a member, a Node that %s is not taken for a lost master's", async (_, node) => {
  if (node) world.nodes.set("other", node);
  const before = left();
  await expect(remove("other")).rejects.toThrow("NO_SUCH_MEMBER");
  expect(left()).toEqual(before);
});
