import { describe, expect, it } from "vitest";
import { parseImageReference } from "../../src/docker/imageReference.js";

const digest = `sha256:${"0123456789abcdef".repeat(4)}`;

describe("an image reference is what Docker takes it for", () => {
  it.each([
    ["busybox", { registry: "docker.io", repository: "library/busybox", tag: "latest" }],
    ["tsdeploy/hyperkube:v1.20.2", { registry: "docker.io", repository: "tsdeploy/hyperkube", tag: "v1.20.2" }],
    ["index.docker.io/busybox:1", { registry: "docker.io", repository: "library/busybox", tag: "1" }],
    ["localhost/a/b", { registry: "localhost", repository: "a/b", tag: "latest" }],
    ["127.0.0.1:5000/a:1", { registry: "127.0.0.1:5000", repository: "a", tag: "1" }],
    ["[::1]:5000/a", { registry: "[::1]:5000", repository: "a", tag: "latest" }],
    ["Registry/a", { registry: "Registry", repository: "a", tag: "latest" }],
    [`quay.io/a/b@${digest}`, { registry: "quay.io", repository: "a/b", digest }],
    [`a:1@${digest}`, { registry: "docker.io", repository: "library/a", tag: "1", digest }],
  ])("%s", (reference, parsed) => {
    expect(parseImageReference(reference)).toEqual(parsed);
  });

  it.each(["", "UPPER", "a/B", "a:", "a:b:c", "a@sha256:12", "https://x/y", "a b", "../a", "a/", "a?b=c", "-x.io/a"])(
    "not %j",
    (reference) => {
      expect(() => parseImageReference(reference)).toThrow(
        expect.objectContaining({ problems: [expect.objectContaining({ code: "IMAGE_REFERENCE_INVALID" })] }) as Error,
      );
    },
  );
});
