import { describe, expect, it } from "vitest";
import { imageRow, isHyperkube } from "../../src/image/imageRow.js";
import { fakeImage, hyperkubeLabels } from "../docker/fakeEngine.js";

describe("an image that a node can run from", () => {
  it.each(["tsdeploy/hyperkube:v1.36.2", "gcr.io/google_containers/hyperkube-arm64:v1.3.6", "hyperkube:dev"])(
    "is known by its name: %s",
    (tag) => {
      expect(isHyperkube(fakeImage(tag))).toBe(true);
    },
  );

  it("is known by its labels, and not every image is one", () => {
    expect(isHyperkube(fakeImage("my/own:1", { labels: hyperkubeLabels("v1.36.2") }))).toBe(true);
    for (const tag of ["my/hyperkubes:1", "hyperkube/other:1", "debian:13"]) expect(isHyperkube(fakeImage(tag))).toBe(false);
  });

  it("says what is in it", () => {
    const labels = {
      ...hyperkubeLabels("v1.36.2"),
      "io.tsdeploy.image.cni": "/opt/tsdeploy/cni",
      "io.tsdeploy.image.etcd": "3.6.8",
      "io.tsdeploy.image.cri-dockerd": "0.3.26",
    };
    expect(imageRow("my/own:1", fakeImage("my/own:1", { labels, createdAt: "1970-01-01T00:00:00Z" }))).toEqual({
      reference: "my/own:1",
      id: expect.stringContaining("sha256:") as string,
      version: "v1.36.2",
      architecture: "amd64",
      sizeBytes: 1,
      contents: ["etcd 3.6.8", "cri-dockerd 0.3.26", "CNI", "pause"],
    });
  });

  it("is of the version that its tag says, if it says none itself", () => {
    expect(imageRow("a/hyperkube:v1.18.20", fakeImage("a/hyperkube:v1.18.20")).version).toBe("v1.18.20");
    expect(imageRow("a/hyperkube:latest", fakeImage("a/hyperkube:latest"))).not.toHaveProperty("version");
  });
});
