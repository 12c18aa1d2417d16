import { describe, expect, test } from "vitest";
import { etcdChange, taggedEtcd } from "../../src/kubernetes/etcdVersions.js";
import { featuresOf, supportedMinors } from "../../src/kubernetes/versions.js";

describe("a change of etcd on its data", () => {
  test.each([
    ["3.5.26", "3.5.26", "safe"],
    ["3.5.26", "3.5.24", "safe"],
    ["3.4.13", "3.5.26", "safe"],
    ["3.5.26", "3.6.5", "safe"],
    ["3.5.33", "3.6.5", "safe"],
    ["3.5.25", "3.6.5", "unsafe, by way of 3.5.26"],
    ["3.5.0", "3.6.0", "unsafe, by way of 3.5.26"],
    ["3.4.23", "3.6.8", "skipped, by way of 3.5"],
    ["3.2.24", "3.5.26", "skipped, by way of 3.3"],
    ["3.6.5", "3.5.33", "downgrade, by way of 3.6"],
    ["3.5.26", "3.4.3", "downgrade, by way of 3.5"],
    ["2.3.7", "3.0.0", "skipped, by way of 2.4"],
  ])("from %s to %s is %s", (from, to, expected) => {
    expect(words(from, to)).toBe(expected);
  });
});

test.each([
  ["registry.k8s.io/etcd:3.5.9-0", "3.5.9"],
  ["etcd:3.2.24", "3.2.24"],
  ["localhost:5000/mirror/etcd-arm64:v3.4.3-0", "3.4.3"],
  ["registry.k8s.io/etcd:3.6.8-0@sha256:00", "3.6.8"],
  ["tsdeploy/hyperkube:v1.20.2", undefined],
  ["example.com/my-etcd-backup:1.2.3", undefined],
  ["sha256:0123", undefined],
])("the etcd of the image %s is %s", (reference, version) => {
  expect(taggedEtcd(reference)).toBe(version);
});

/**
 * From each minor version to itself and to the next one, with the etcd of a built image (`components`) or the one that
 * is pulled beside an image that has none (`images`).
 */
test("all that our tables bring from one minor version to itself or the next is safe, but for these", () => {
  const minors = supportedMinors();
  const refused: Record<string, string[]> = {};
  for (const [index, minor] of minors.entries()) {
    for (const next of minors.slice(index, index + 2)) {
      for (const [from, before] of Object.entries(etcdsOf(minor))) {
        for (const [to, after] of Object.entries(etcdsOf(next))) {
          const verdict = words(before, after);
          if (verdict !== "safe") (refused[`${from} to ${to}: ${verdict}`] ??= []).push(`${minor}-${next.slice(3)}`);
        }
      }
    }
  }
  const within = (first: number, last: number): string[] =>
    Array.from({ length: last - first + 1 }, (_, at) => first + at).flatMap((minor) => [
      `v1.${minor}-${minor}`,
      `v1.${minor}-${minor + 1}`,
    ]);
  expect(refused).toEqual({
    // Published hyperkube images have no etcd of their own; kubeadm's of then is older than a built image's.
    "pulled to built: skipped, by way of 3.3": within(6, 13),
    "pulled to built: skipped, by way of 3.4": within(14, 16),
    "built to pulled: downgrade, by way of 3.5": ["v1.5-6", ...within(6, 20), "v1.21-21"],
    // Another API of etcd, which is refused anyway.
    "pulled to pulled: downgrade, by way of 3.5": ["v1.5-6"],
  });
});

function etcdsOf(minor: string): Record<"built" | "pulled", string> {
  const { images, components } = featuresOf(`${minor}.0`);
  return { built: components.etcd, pulled: taggedEtcd(images.etcd) ?? "" };
}

function words(from: string, to: string): string {
  const change = etcdChange(from, to);
  return change.kind === "safe" ? "safe" : `${change.why}, by way of ${change.stop}`;
}
