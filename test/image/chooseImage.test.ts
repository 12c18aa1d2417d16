import { describe, expect, it } from "vitest";
import { chooseImage, type ImageWish } from "../../src/image/chooseImage.js";
import type { ImageDetails } from "../../src/model/dockerObjects.js";
import { fakeEngine, fakeImage, hyperkubeLabels } from "../docker/fakeEngine.js";

const version = "v1.36.2";
const local = `tsdeploy/hyperkube:${version}`;

function choose(images: readonly ImageDetails[], wish: Omit<Partial<ImageWish>, "requested"> & { requested?: object } = {}) {
  const { requested, ...more } = wish;
  const architecture = more.architecture ?? "amd64";
  return chooseImage(fakeEngine({ images, architecture }), {
    version,
    architecture,
    ...more,
    requested: { registryMirrors: {}, ...requested },
  });
}

describe("the image of a node is", () => {
  it("the one that was requested for, here or not", async () => {
    const requested = { image: "registry.example.com/mine:1" };
    expect(await choose([fakeImage(local)], { requested })).toEqual({ how: "pull", reference: requested.image });
    const here = [fakeImage(requested.image), fakeImage(local)];
    expect(await choose(here, { requested })).toEqual({ how: "present", reference: requested.image });
  });

  it("one that is here for that version, whatever it is called", async () => {
    const mine = fakeImage("my/kubernetes:latest", { labels: hyperkubeLabels(version) });
    const other = fakeImage("my/kubernetes:old", { labels: hyperkubeLabels("v1.35.0") });
    expect(await choose([other, mine])).toEqual({ how: "present", reference: "my/kubernetes:latest" });
    expect(await choose([mine, fakeImage(local)])).toEqual({ how: "present", reference: local });
  });

  it("the newest of those that are here under other names, run after run", async () => {
    const labels = hyperkubeLabels(version);
    const old = fakeImage("a:1", { labels, createdAt: "2026-01-01T00:00:00Z" });
    const young = fakeImage("b:1", { labels, createdAt: "2026-02-01T00:00:00Z" });
    for (const images of [[old, young], [young, old]]) expect((await choose(images)).reference).toBe("b:1");
  });

  it("never one without a name, or for another architecture", async () => {
    const labels = hyperkubeLabels(version);
    const foreign = fakeImage(local, { labels, architecture: "arm64" });
    const nameless = fakeImage("", { labels, tags: [] });
    expect(await choose([foreign, nameless])).toEqual({ how: "build", reference: local });
    const native = fakeImage(`tsdeploy/hyperkube-arm64:${version}`, { architecture: "arm64" });
    expect(await choose([fakeImage(local), native], { architecture: "arm64" })).toEqual({
      how: "present",
      reference: native.tags[0],
    });
  });

  it("that of the registry", async () => {
    const requested = { registry: "registry.example.com:5000/k8s" };
    const reference = `registry.example.com:5000/k8s/hyperkube:${version}`;
    expect(await choose([], { requested })).toEqual({ how: "pull", reference });
    expect(await choose([fakeImage(reference)], { requested })).toEqual({ how: "present", reference });
    const cluster = { version, image: reference, registry: requested.registry };
    expect(await choose([], { cluster })).toEqual({ how: "pull", reference });
  });

  it.each([
    ["v1.3.6", "amd64"],
    ["v1.3.6", "arm64"],
    ["v1.9.11", "arm64"],
    ["v1.18.20", "amd64"],
  ])("the published one of %s for %s", async (old, architecture) => {
    const { how, reference } = await choose([], { version: old, architecture });
    expect(how).toBe("pull");
    expect(reference).toMatch(new RegExp(`/hyperkube(-${architecture})?:${old}$`));
  });

  it("one that is built where nobody has published any, named for other machines if it is for others", async () => {
    expect(await choose([])).toEqual({ how: "build", reference: local });
    expect(await choose([], { version: "v1.19.0" })).toMatchObject({ how: "build" });
    const engine = fakeEngine({ architecture: "amd64" });
    const wish = { requested: { registryMirrors: {} }, version, architecture: "arm64" };
    expect((await chooseImage(engine, wish)).reference).toBe(`tsdeploy/hyperkube-arm64:${version}`);
  });
});

describe("the cluster's image", () => {
  const cluster = { version, image: "registry.example.com/patched:1" };

  it("is that of its nodes if a person chose it", async () => {
    const here = [fakeImage(local, { labels: hyperkubeLabels(version) })];
    expect(await choose(here, { cluster })).toEqual({ how: "pull", reference: cluster.image });
    expect(await choose(here, { cluster, requested: { image: local } })).toEqual({ how: "present", reference: local });
  });

  it("is not that of a node of another version", async () => {
    expect(await choose([], { cluster: { ...cluster, version: "v1.36.1" } })).toEqual({ how: "build", reference: local });
  });

  it("is chosen anew by each host if tsdeploy chose it: machines may differ", async () => {
    const old = "v1.9.11";
    const amd64 = await choose([], { version: old });
    const arm64 = await choose([], { version: old, architecture: "arm64", cluster: { version: old, image: amd64.reference } });
    expect(arm64.reference).toBe(amd64.reference.replace("amd64", "arm64"));
  });
});

describe("a mirror", () => {
  const registryMirrors = { "registry.example.com": "mirror.lab:5000/cache" };
  const requested = { image: "registry.example.com/mine:1", registryMirrors };

  it("is where an image is pulled from", async () => {
    expect(await choose([], { requested })).toEqual({ how: "pull", reference: "mirror.lab:5000/cache/mine:1" });
  });

  it("is not requested for what is here, under either name", async () => {
    for (const reference of ["mirror.lab:5000/cache/mine:1", requested.image]) {
      expect(await choose([fakeImage(reference)], { requested })).toEqual({ how: "present", reference });
    }
  });
});
