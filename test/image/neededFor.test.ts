import { describe, expect, it } from "vitest";
import { furtherImages } from "../../src/addons/furtherImages.js";
import { neededFor } from "../../src/image/neededFor.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { ImageListOptions } from "../../src/model/options.js";
import { fakeEngine, type FakeEngineInput, fakeImage, hyperkubeLabels } from "../docker/fakeEngine.js";

function options(more: Partial<ImageListOptions> = {}): ImageListOptions {
  const rest = { registryMirrors: {}, output: "text", yes: false, verbose: false } as const;
  return { needed: true, network: "flannel", dns: true, ...rest, ...more };
}

async function needed(more: Partial<ImageListOptions>, engine: FakeEngineInput = {}) {
  const docker = fakeEngine(engine);
  const all = await neededFor(docker, options(more), furtherImages(more));
  expect(docker.pulls).toEqual([]);
  const files = Object.fromEntries(all.files.map((file) => [file.name, file]));
  return { ...all, files, references: all.images.map(({ reference }) => reference) };
}

const flannel = "docker.io/flannel/flannel:v0.28.9";

describe("what a cluster needs is", () => {
  it("a base and release files where an image has to be built", async () => {
    const { references, files, packages } = await needed({ k8sVersion: "v1.36.2", arch: "arm64" });
    expect(references).toEqual(["debian:trixie-slim"]);
    expect(Object.keys(files)).toEqual(
      expect.arrayContaining(["kubelet", "kube-apiserver", "etcd", "cni-plugins", "cri-dockerd", "flannel", "coredns"]),
    );
    expect(files["flannel"]?.url).toMatch(/\/flannel-io\/flannel\/releases\/download\/v[0-9.]+\/flanneld-arm64$/);
    expect(files["kubelet"]).toEqual({
      name: "kubelet",
      url: "https://dl.k8s.io/release/v1.36.2/bin/linux/arm64/kubelet",
      checksum: [
        { algorithm: "sha512", url: "https://dl.k8s.io/release/v1.36.2/bin/linux/arm64/kubelet.sha512" },
        { algorithm: "sha256", url: "https://dl.k8s.io/release/v1.36.2/bin/linux/arm64/kubelet.sha256" },
      ],
    });
    expect(files["cri-dockerd"]?.checksum).toEqual({
      algorithm: "sha256",
      value: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
    });
    expect(packages).toContain("socat");
  });

  it("less for a cluster without flannel and CoreDNS", async () => {
    const { references, files } = await needed({ k8sVersion: "v1.36.2", network: "bridge", dns: false });
    expect(references).toEqual(["debian:trixie-slim"]);
    expect(Object.keys(files)).not.toContain("coredns");
    expect(Object.keys(files)).not.toContain("flannel");
  });

  it("named as it is on mirrors, without their passwords", async () => {
    const { references, files } = await needed({
      k8sVersion: "v1.36.2",
      mirror: "https://user:secret@lab.example/files",
      registryMirrors: { "docker.io": "lab.example:5000/hub" },
    });
    expect(references).toEqual(["lab.example:5000/hub/library/debian:trixie-slim"]);
    expect(files["etcd"]?.url).toMatch(/^https:\/\/lab\.example\/files\/github\.com\/etcd-io\/etcd\/releases\//);
    expect(JSON.stringify(files)).not.toContain("secret");
  });

  it("the published image and all beside it", async () => {
    const { images } = featuresOf("v1.9.11");
    const { references, files, images: all } = await needed({ k8sVersion: "v1.9.11" });
    expect(references).toEqual([
      "registry.k8s.io/hyperkube-amd64:v1.9.11",
      ...[images.pause, images.etcd].map((name) => `registry.k8s.io/${name}`),
      flannel,
      `registry.k8s.io/${images.coredns}`,
    ]);
    expect(files).toEqual({});
    expect(all.every((image) => !image.here && image.unlessIn === undefined)).toBe(true);
  });

  it("perhaps nothing beside an image that nobody has seen", async () => {
    const { images } = await needed({ image: "lab.example:5000/mine:v1.36.2" });
    const [first, ...others] = images;
    expect(first).toEqual({ reference: "lab.example:5000/mine:v1.36.2", what: "Kubernetes", here: false });
    expect(others.map(({ what }) => what)).toEqual(["pause", "etcd", "flannel", "coredns"]);
    expect(others.every(({ unlessIn }) => unlessIn === first?.reference)).toBe(true);
  });

  it("what an image that is here lacks", async () => {
    const labels = { ...hyperkubeLabels("v1.36.2"), "io.tsdeploy.image.coredns": "1.14.2" };
    const image = fakeImage("mine:1", { labels });
    const { version, images } = await needed({ image: "mine:1" }, { images: [image, fakeImage(flannel)] });
    expect(version).toBe("v1.36.2");
    expect(images).toEqual([
      { reference: "mine:1", what: "Kubernetes", here: true },
      { reference: flannel, what: "flannel", here: true },
    ]);
  });

  it("what its add-ons run from, whatever holds the rest", async () => {
    const dashboard = "lab.example:5000/k8s/kubernetes-dashboard-arm64:v1.10.1";
    const metrics = "lab.example:5000/k8s/metrics-server/metrics-server:v0.3.7";
    const asked = {
      arch: "arm64",
      enabledAddons: ["dashboard", "metrics-server"],
      registryMirrors: { "registry.k8s.io": "lab.example:5000/k8s" },
    } as const;
    const published = await needed({ k8sVersion: "v1.13.0", ...asked });
    expect(published.images.slice(-2)).toEqual([
      { reference: dashboard, what: "dashboard", here: false },
      { reference: metrics, what: "metrics-server", here: false },
    ]);
    const own = fakeImage("mine:1", { labels: hyperkubeLabels("v1.13.0"), architecture: "arm64" });
    const here = await needed({ image: "mine:1", network: "none", dns: false, ...asked }, { images: [own] });
    expect(here.references).toEqual(["mine:1", dashboard, metrics]);
    expect(here.images[1]).not.toHaveProperty("unlessIn");
    const built = await needed({ k8sVersion: "v1.36.2", enabledAddons: ["metrics-server"] });
    expect(built.references.at(-1)).toBe("registry.k8s.io/metrics-server/metrics-server:v0.8.0");
  });

  it("all in one folder of a registry of the person's own, by the last part of their names", async () => {
    const asked = { k8sVersion: "v1.13.0", arch: "amd64", enabledAddons: ["dashboard", "metrics-server"] } as const;
    const { references } = await needed({ ...asked, registry: "lab.example:5000/k8s" });
    const names = ["hyperkube:v1.13.0", "pause:3.1", "etcd:3.2.24", "flannel:v0.28.9", "coredns:v1.10.1"];
    const addons = ["kubernetes-dashboard-amd64:v1.10.1", "metrics-server:v0.3.7"];
    expect(references).toEqual([...names, ...addons].map((name) => `lab.example:5000/k8s/${name}`));
    // Where Kubernetes' own are, said in so many words.
    const own = await needed({ ...asked, image: "mine:v1.13.0", registry: "registry.k8s.io" });
    expect(own.references).toContain("registry.k8s.io/coredns/coredns:v1.10.1");
  });

  it("not told of an image whose version only a pull would tell", async () => {
    await expect(needed({ image: "mine:latest" })).rejects.toMatchObject({
      problems: [{ code: "IMAGE_VERSION_UNKNOWN" }],
    });
  });
});
