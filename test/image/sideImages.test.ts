import { describe, expect, it } from "vitest";
import { ownCoredns } from "../../src/image/corednsVersion.js";
import { sideImageNames, sideImages } from "../../src/image/sideImages.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { ObservedHost } from "../../src/model/hostFacts.js";
import type { RegistryMirrors } from "../../src/model/options.js";
import { engineFacts, hostFacts, image } from "../host/fixtures.js";
import { config as cluster } from "../plan/fixtures.js";

interface Asked {
  readonly version?: string;
  readonly programs?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly registry?: string;
  readonly mirrors?: RegistryMirrors;
}

function sides({ version = "v1.36.2", programs = {}, labels = {}, registry, mirrors = {} }: Asked) {
  const observed: ObservedHost = {
    engine: engineFacts,
    host: { ...hostFacts, imagePrograms: programs },
    image: { ...image, labels },
    files: new Map(),
  };
  const config = { ...cluster, image: "my/node:1", ...(registry !== undefined && { registry }) };
  const features = featuresOf(version);
  const own = ownCoredns(features, observed);
  const { coredns } = sideImageNames(features, { architecture: "amd64", registry, registryMirrors: mirrors });
  const from = own === undefined ? coredns : config.image;
  return { ...sideImages(config, features, observed, mirrors), coredns: from, program: own?.program };
}

describe("flannel and CoreDNS come", () => {
  it("out of the node's image where that has them", () => {
    const programs = { flanneld: "/usr/bin/flanneld", coredns: "/opt/coredns" };
    expect(sides({ programs })).toMatchObject({ flannel: "my/node:1", coredns: "my/node:1", program: "/opt/coredns" });
  });

  it("out of their projects' images, each by itself", () => {
    expect(sides({ programs: { coredns: "/usr/local/bin/coredns" } })).toMatchObject({
      flannel: "docker.io/flannel/flannel:v0.28.9",
      coredns: "my/node:1",
    });
    expect(sides({}).coredns).toBe("registry.k8s.io/coredns/coredns:v1.14.2");
  });

  it("for servers without EndpointSlices of v1 from a CoreDNS that does not ask for them", () => {
    expect(sides({ version: "v1.3.0" }).coredns).toBe("registry.k8s.io/coredns/coredns:v1.10.1");
    expect(sides({ version: "v1.20.2" }).coredns).toBe("registry.k8s.io/coredns/coredns:v1.10.1");
    expect(sides({ version: "v1.22.0" }).coredns).toBe("registry.k8s.io/coredns/coredns:v1.8.4");
  });

  it("not out of an image whose CoreDNS cannot serve the version", () => {
    const labels = { "io.tsdeploy.image.coredns": "1.13.1" };
    const programs = { coredns: "/usr/local/bin/coredns" };
    expect(sides({ labels, programs, version: "v1.20.2" }).coredns).toBe("registry.k8s.io/coredns/coredns:v1.10.1");
    expect(sides({ labels, programs, version: "v1.21.0" }).coredns).toBe("my/node:1");
  });

  it("from the cluster's registry, or from the mirror of theirs", () => {
    expect(sides({ registry: "lab:5000/k8s" })).toMatchObject({
      flannel: "lab:5000/k8s/flannel:v0.28.9",
      coredns: "lab:5000/k8s/coredns:v1.14.2",
    });
    const mirrors = { "docker.io": "lab:5000/hub", "registry.k8s.io": "lab:5000/k8s" };
    expect(sides({ mirrors })).toMatchObject({
      flannel: "lab:5000/hub/flannel/flannel:v0.28.9",
      coredns: "lab:5000/k8s/coredns/coredns:v1.14.2",
    });
  });
});
