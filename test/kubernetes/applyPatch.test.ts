import { describe, expect, test } from "vitest";
import { applyPatch } from "../../src/kubernetes/applyPatch.js";
import type { Patch } from "../../src/model/options.js";

const pod = {
  metadata: { name: "p", labels: { a: "1", b: "2" } },
  spec: {
    hostNetwork: true,
    containers: [
      { name: "one", image: "i", command: ["a", "b"], env: [{ name: "X", value: "1" }] },
      { name: "two", image: "i", volumeMounts: [{ name: "v", mountPath: "/v" }] },
    ],
    volumes: [{ name: "v", emptyDir: {} }],
  },
};

function patch(type: Patch["type"], body: unknown): unknown {
  return applyPatch(pod, { target: "apiserver", type, body, file: "patch.yaml" });
}

describe("a strategic merge patch", () => {
  test("merges containers, environment, mounts and volumes by their keys, and replaces other lists", () => {
    const patched = patch("strategic", {
      spec: {
        containers: [
          { name: "two", volumeMounts: [{ name: "w", mountPath: "/w" }, { mountPath: "/v", readOnly: true }] },
          { name: "one", command: ["c"], env: [{ name: "Y", value: "2" }, { name: "X", value: "3" }] },
          { name: "three", image: "j" },
        ],
        volumes: [{ name: "w", hostPath: { path: "/w" } }],
      },
    });
    expect(patched).toEqual({
      ...pod,
      spec: {
        hostNetwork: true,
        containers: [
          { name: "one", image: "i", command: ["c"], env: [{ name: "X", value: "3" }, { name: "Y", value: "2" }] },
          {
            name: "two",
            image: "i",
            volumeMounts: [{ name: "v", mountPath: "/v", readOnly: true }, { name: "w", mountPath: "/w" }],
          },
          { name: "three", image: "j" },
        ],
        volumes: [{ name: "v", emptyDir: {} }, { name: "w", hostPath: { path: "/w" } }],
      },
    });
  });

  test("deletes by null and by $patch", () => {
    const patched = patch("strategic", {
      metadata: { labels: { a: null } },
      spec: { containers: [{ name: "one", $patch: "delete" }] },
    });
    expect(patched).toMatchObject({ metadata: { labels: { b: "2" } }, spec: { containers: [{ name: "two" }] } });
    expect(patched).not.toHaveProperty("metadata.labels.a");
  });

  test("replaces a whole object by $patch", () => {
    const patched = patch("strategic", { metadata: { labels: { $patch: "replace", c: "3" } } });
    expect(patched).toMatchObject({ metadata: { name: "p", labels: { c: "3" } } });
    expect(patched).not.toHaveProperty("metadata.labels.a");
  });
});

test("a merge patch replaces lists", () => {
  const patched = patch("merge", { spec: { containers: [{ name: "x", image: "y" }], hostNetwork: null } });
  expect(patched).toEqual({ ...pod, spec: { containers: [{ name: "x", image: "y" }], volumes: pod.spec.volumes } });
});

test("a JSON patch runs its operations", () => {
  const patched = patch("json", [
    { op: "add", path: "/spec/containers/0/command/-", value: "--v=9" },
    { op: "remove", path: "/spec/hostNetwork" },
  ]);
  expect(patched).toMatchObject({ spec: { containers: [{ command: ["a", "b", "--v=9"] }, { name: "two" }] } });
  expect(patched).not.toHaveProperty("spec.hostNetwork");
});

test("the document itself stays as it is", () => {
  const before = structuredClone(pod);
  patch("json", [{ op: "remove", path: "/spec" }]);
  patch("strategic", { spec: { containers: [{ name: "one", image: "z" }] } });
  patch("merge", { spec: null });
  expect(pod).toEqual(before);
});

test.each([
  ["strategic", ["not an object"]],
  ["merge", "text"],
  ["json", { op: "add" }],
  ["json", [{ op: "remove", path: "/no/such/place" }]],
  ["json", [{ op: "fly", path: "/spec" }]],
] as const)("a %s patch that cannot be applied is refused with its file's name", (type, body) => {
  expect(() => patch(type, body)).toThrow(/^PATCH_FAILED: patch\.yaml: ./);
});
