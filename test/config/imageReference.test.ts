import { describe, expect, it } from "vitest";
import { isAutomaticImage, mirrored, namedRegistries, publishedImage } from "../../src/config/imageReference.js";

describe("a mirror of a registry", () => {
  const mirrors = {
    "registry.k8s.io": "mirror.lab:5000/k8s",
    "registry.k8s.io/coredns": "mirror.lab/dns",
    "docker.io": "mirror.lab:5000",
    "gcr.io/google_containers": "mirror.lab:5000/old",
  };
  const digest = `sha256:${"ab".repeat(32)}`;

  it.each([
    ["registry.k8s.io/pause:3.10", "mirror.lab:5000/k8s/pause:3.10"],
    ["registry.k8s.io/coredns/coredns:v1.14.2", "mirror.lab/dns/coredns:v1.14.2"],
    ["registry.k8s.io/corednsx:1", "mirror.lab:5000/k8s/corednsx:1"],
    [`registry.k8s.io/etcd:3.6.8-0@${digest}`, `mirror.lab:5000/k8s/etcd:3.6.8-0@${digest}`],
    [`registry.k8s.io/etcd@${digest}`, `mirror.lab:5000/k8s/etcd@${digest}`],
    ["debian:13-slim", "mirror.lab:5000/library/debian:13-slim"],
    ["someone/base", "mirror.lab:5000/someone/base:latest"],
    ["gcr.io/google_containers/hyperkube-arm64:v1.3.6", "mirror.lab:5000/old/hyperkube-arm64:v1.3.6"],
  ])("has %s", (reference, there) => {
    expect(mirrored(reference, mirrors)).toBe(there);
  });

  it.each(["gcr.io/google_containersx/a:1", "quay.io/a/b:1", "registry.k8s.io.example.com/a:1", "quay.io/a/b"])(
    "has nothing to do with %s",
    (reference) => {
      expect(mirrored(reference, mirrors)).toBe(reference);
    },
  );
});

describe("a name that tsdeploy gives by itself", () => {
  it.each([
    "tsdeploy/hyperkube:v1.9.11",
    "tsdeploy/hyperkube-arm64:v1.9.11",
    publishedImage("v1.9.11", "amd64") ?? "",
    publishedImage("v1.9.11", "arm64") ?? "",
  ])("%s", (reference) => {
    expect(isAutomaticImage(reference, "v1.9.11")).toBe(true);
    expect(isAutomaticImage(reference, "v1.9.10")).toBe(false);
  });

  it.each(["registry.example.com/hyperkube:v1.9.11", "tsdeploy/hyperkube:latest", "tsdeploy/hyperkube"])(
    "is not %s",
    (reference) => {
      expect(isAutomaticImage(reference, "v1.9.11")).toBe(false);
    },
  );
});

describe("the registries that a person has named", () => {
  it.each([
    [{ registryMirrors: {} }, []],
    [{ image: "my/node:1", registryMirrors: {} }, ["docker.io"]],
    [{ image: "lab:5000/node:1", registry: "lab:5000/k8s", registryMirrors: {} }, ["lab:5000"]],
    [
      { image: "quay.io/node:1", registry: "one.lab", registryMirrors: { "quay.io": "lab:1/q", "docker.io": "two.lab" } },
      ["lab:1", "one.lab", "two.lab"],
    ],
  ])("of %j", (options, registries) => {
    expect(namedRegistries(options)).toEqual(registries);
  });
});
