import { describe, expect, test } from "vitest";
import { withContainersNow } from "../../src/host/containersNow.js";
import type { ContainerSummary } from "../../src/model/dockerObjects.js";
import type { ListeningPort } from "../../src/model/hostFacts.js";
import { runPreflight } from "../../src/preflight/runPreflight.js";
import { container, engineFacts, hostFacts, observedHost, podContainer } from "./fixtures.js";

const kubelet = container("kubelet", { "io.tsdeploy.component": "kubelet", "io.tsdeploy.cluster": "kubernetes" });
const apiserver = (id: string): ContainerSummary => podContainer(id, "k8s-master", "apiserver");
const listener = (container: string): ListeningPort => ({
  ...{ port: 6443, address: "::", process: "kube-apiserver", pid: 7 },
  container,
});

/** What the ports check of a second `master` says of an API server that listens. */
function refusals(
  before: readonly ContainerSummary[],
  after: readonly ContainerSummary[],
  listening: string,
): string[] {
  const host = { ...hostFacts, listeningPorts: [listener(listening)] };
  const facts = withContainersNow({ ...engineFacts, containers: before }, host, after);
  return runPreflight("host", { ...observedHost, ...facts }, { role: "master", version: "v1.20.2" }).errors.map(
    ({ code }) => code,
  );
}

describe("the API server's container was replaced while the host was looked at", () => {
  test("just before its port was read: only the later list has the new one", () => {
    expect(refusals([kubelet, apiserver("old")], [kubelet, apiserver("new")], "new")).toEqual([]);
  });

  test("just after: only the earlier list has the one that listened", () => {
    expect(refusals([kubelet, apiserver("old")], [kubelet, apiserver("new")], "old")).toEqual([]);
  });
});

test("what is in no container that Docker knows holds the port", () => {
  expect(refusals([kubelet, apiserver("a")], [kubelet, apiserver("a")], "another runtime's")).toEqual(["PORT_TAKEN"]);
});

test("a container of somebody else's holds the port, though it came after the first list", () => {
  expect(refusals([kubelet], [kubelet, container("web", {})], "web")).toEqual(["PORT_TAKEN"]);
});

test("the plan is made with the containers that are there now", () => {
  const { engine } = withContainersNow({ ...engineFacts, containers: [kubelet] }, hostFacts, [kubelet, apiserver("a")]);
  expect(engine.containers.map(({ id }) => id)).toEqual(["kubelet", "a"]);
});
