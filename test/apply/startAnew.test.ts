import { expect, it } from "vitest";
import { waitForProbe } from "../../src/apply/actions/waitForProbe.js";
import type { StepTools } from "../../src/apply/planRun.js";
import type { Aftermath } from "../../src/apply/runSteps.js";
import { waitFor } from "../../src/apply/waitFor.js";
import { ApiError } from "../../src/api/kubernetesClient.js";
import type { Component } from "../../src/model/containerSpec.js";
import { labels } from "../../src/model/hostLayout.js";
import type { ActionOf } from "../../src/model/plan.js";

interface Given {
  /** What the API server says of the node at each look, in turn; then it is as `cure` leaves it. */
  readonly before?: readonly (object | number)[];
  /** The program whose start makes what is missing. */
  readonly cure?: string;
  readonly made?: object;
  readonly fresh?: readonly Component[];
  readonly state?: string;
  /** What Docker refuses. */
  readonly refuses?: string;
}

const registered: ActionOf<"wait"> = {
  kind: "wait",
  probe: { kind: "node-registered", node: "w1" },
  madeBy: ["cri", "kubelet"],
};
const annotated: ActionOf<"wait"> = {
  kind: "wait",
  probe: { kind: "node-annotated", node: "w1", annotations: { ip: "10.0.0.6" } },
  madeBy: ["flannel"],
};

/** Waits on a host that has the three programs, and tells what was done to them. */
async function waited(action: ActionOf<"wait">, given: Given) {
  const { before = [404], cure = "kubelet", made = { metadata: {} }, fresh = [], state = "running", refuses } = given;
  const [done, notices, looks]: [string[], string[], (object | number)[]] = [[], [], [...before]];
  let left: Aftermath = {};
  let now: object | number | undefined;
  const act = (what: string) => (id: string) => {
    done.push(`${what} ${id}`);
    if (`${what} ${id}` === refuses) return Promise.reject(new Error("refused"));
    if (what === "start" && id === cure) now = made;
    return Promise.resolve();
  };
  const timeoutMs = 600;
  const run = {
    api: {
      get: () => {
        const node = now ?? (looks.length > 1 ? looks.shift() : looks[0]) ?? 404;
        return typeof node === "number" ? Promise.reject(new ApiError(node, "", "no")) : Promise.resolve(node);
      },
    },
    fresh: new Set(fresh),
    noteKubelet: act("note"),
    wait: (_: unknown, probe: Parameters<typeof waitFor>[0]) =>
      waitFor(probe, { timeoutMs, signal: new AbortController().signal, intervalMs: 5 }),
    context: {
      timeoutMs,
      containers: ["cri", "kubelet", "flannel"].map((name) => ({
        ...{ id: name, name: `kube_${name}`, state },
        labels: { [labels.component]: name },
      })),
      engine: { startContainer: act("start"), stopContainer: act("stop") },
      report: ({ message }: { message?: string }) => notices.push(message ?? ""),
    },
  };
  const leave = (aftermath: Aftermath): void => {
    left = aftermath;
  };
  const ended = await waitForProbe(action, { run, step: {}, leave } as unknown as StepTools).then(
    () => "there",
    (error: unknown) => String(error),
  );
  return { ended, done, notices, left, fresh: [...run.fresh] };
}

it("a kubelet whose Node somebody has deleted starts anew, after its runtime, and registers it", async () => {
  const { ended, done, notices, fresh } = await waited(registered, {});
  expect(done).toEqual(["stop kubelet", "stop cri", "start cri", "start kubelet", "note kubelet"]);
  expect([ended, fresh]).toEqual(["there", ["cri", "kubelet"]]);
  expect(notices.join()).toContain("node w1 has not registered, though kube_cri and kube_kubelet ran before");
  expect(notices.at(-1)).toContain("kubectl delete pods --all-namespaces --field-selector spec.nodeName=w1");
});

it("flannel whose annotations have gone with the Node starts anew", async () => {
  const made = { metadata: { annotations: { ip: "10.0.0.6" } } };
  const { ended, done } = await waited(annotated, { before: [{ metadata: {} }], cure: "flannel", made });
  expect([ended, done]).toEqual(["there", ["stop flannel", "start flannel"]]);
});

it.each<[string, ActionOf<"wait">, Given]>([
  ["one that registers by itself is left alone", registered, { before: [404, 404, { metadata: {} }] }],
  ["one that this run has started is left alone", registered, { fresh: ["kubelet"] }],
  ["one that does not run is nobody's to start here", registered, { state: "exited" }],
  ["an API server that does not answer says nothing of a Node", registered, { before: [503] }],
  ["another annotation is no missing one", annotated, { before: [{ metadata: { annotations: { ip: "10.0.0.7" } } }] }],
])("%s", async (_, action, given) => {
  expect((await waited(action, given)).done).toEqual([]);
});

it("starts them once", async () => {
  const { ended, done } = await waited(registered, { cure: "none" });
  expect(ended).toContain("node w1 has not registered");
  expect(done.filter((what) => what === "start kubelet")).toHaveLength(1);
});

it("leaves none stopped where one of them cannot be", async () => {
  const { done, left } = await waited(registered, { refuses: "stop cri" });
  expect(done).toEqual(["stop kubelet", "stop cri"]);
  await left.resume?.();
  expect(done.slice(2)).toEqual(["start cri", "start kubelet"]);
});
