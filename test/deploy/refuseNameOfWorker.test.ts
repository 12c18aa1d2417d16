import { expect, it } from "vitest";
import type { Node } from "../../src/apply/probes.js";
import { refuseNameOfWorker } from "../../src/deploy/membership.js";

function node(name: string, isReady: boolean, labels: Readonly<Record<string, string>> = {}): Node {
  return { metadata: { name, labels }, status: { conditions: [{ type: "Ready", status: isReady ? "True" : "Unknown" }] } };
}

it("a further master does not take the name of a worker that lives", () => {
  const nodes = [node("master-1", true), node("cloned", true)];
  expect(() => { refuseNameOfWorker(nodes, "cloned"); }).toThrow("NODE_NAME_TAKEN");
  expect(() => { refuseNameOfWorker(nodes, "other"); }).not.toThrow();
});

it.each([
  ["a worker that is gone", node("me", false)],
  ["itself, whose data was lost a moment ago", node("me", true, { "node-role.kubernetes.io/control-plane": "" })],
])("it may have that of %s", (_, namesake) => {
  expect(() => { refuseNameOfWorker([namesake], "me"); }).not.toThrow();
});
