import { expect, it } from "vitest";
import { imageLabels, labelledVersions } from "../../src/model/imageLabels.js";

const ours = { [imageLabels.pause]: "/pause", [imageLabels.version]: "v1.36.2", [imageLabels.etcd]: "3.6.8" };
const none = { kubelet: undefined, etcd: undefined, "cri-dockerd": undefined, coredns: undefined };

it("are what the labels of an image of ours say", () => {
  expect(labelledVersions(ours)).toEqual({ ...none, kubelet: "v1.36.2", etcd: "3.6.8" });
});

it("are left to the program where the build knew none", () => {
  const { coredns } = labelledVersions({ ...ours, [imageLabels.coredns]: "unknown" });
  expect(coredns).toBeUndefined();
});

it("are not those of another image, whose label is its own version", () => {
  expect(labelledVersions({ [imageLabels.version]: "12.5" })).toEqual(none);
});
