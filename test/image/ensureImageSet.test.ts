import { describe, expect, it } from "vitest";
import { mirrored, publishedImage } from "../../src/config/imageReference.js";
import { ensureImageSet } from "../../src/image/ensureImageSet.js";
import { defaultVersion, featuresOf } from "../../src/kubernetes/versions.js";
import type { ImageSetOptions } from "../../src/model/options.js";
import type { RunContext } from "../../src/report/runContext.js";
import { fakeEngine, fakeImage, hyperkubeLabels } from "../docker/fakeEngine.js";

const old = "v1.9.11";
const published = publishedImage(old, "amd64") ?? "";
const { images } = featuresOf(old);
const sides = [images.pause, images.etcd].map((name) => `registry.k8s.io/${name}`);
const registry = Object.fromEntries([published, ...sides].map((name) => [name, fakeImage(name)]));

function options(more: Partial<ImageSetOptions> = {}): ImageSetOptions {
  return { k8sVersion: old, registryMirrors: {}, pullTimeoutMs: 1000, output: "text", yes: false, verbose: false, ...more };
}

const context = { report: () => undefined, signal: new AbortController().signal, env: {} } as Partial<RunContext>;

async function references(engine: ReturnType<typeof fakeEngine>, asked: ImageSetOptions, architecture = "amd64") {
  const { images } = await ensureImageSet(engine, asked, architecture, context as RunContext);
  return images.map(({ reference }) => reference);
}

describe("all images of a cluster are", () => {
  it("the one that holds everything", async () => {
    const image = fakeImage("tsdeploy/hyperkube:v1.36.2", { labels: hyperkubeLabels("v1.36.2") });
    const engine = fakeEngine({ images: [image] });
    expect(await references(engine, options({ k8sVersion: "v1.36.2" }))).toEqual(image.tags);
    expect(engine.pulls).toEqual([]);
  });

  it("not what an image holds that is of another version", async () => {
    const image = fakeImage("mine:1", { labels: hyperkubeLabels("v1.36.2") });
    const engine = fakeEngine({ images: [image] });
    await expect(references(engine, options({ k8sVersion: "v1.36.1", image: "mine:1" }))).rejects.toMatchObject({
      kind: "environment",
      problems: [{ code: "IMAGE_VERSION", hint: expect.stringContaining("v1.36.2") as string }],
    });
  });

  it("a published one, with the pause and the etcd that it lacks, pulled if they are not here", async () => {
    const engine = fakeEngine({ images: [fakeImage(sides[0] ?? "")], registry });
    expect(await references(engine, options())).toEqual([published, ...sides]);
    expect(engine.pulls).toEqual([published, sides[1]]);
  });

  it("those of a mirror, by the names under which nodes with that mirror look for them", async () => {
    const registryMirrors = { "registry.k8s.io": "mirror.lab:5000/k8s" };
    const there = [published, ...sides].map((name) => mirrored(name, registryMirrors));
    const engine = fakeEngine({ registry: Object.fromEntries(there.map((name) => [name, fakeImage(name)])) });
    expect(await references(engine, options({ registryMirrors }))).toEqual(there);
    expect(there.every((name) => name.startsWith("mirror.lab:5000/k8s/"))).toBe(true);
  });
});

describe("without --k8s-version the version is", () => {
  const versionFor = async (image: string | undefined, ...here: Parameters<typeof fakeImage>[]): Promise<string> => {
    const asked = options(image === undefined ? {} : { image });
    Reflect.deleteProperty(asked, "k8sVersion");
    const images = here.map((parameters) => fakeImage(...parameters));
    return (await ensureImageSet(fakeEngine({ images, registry }), asked, "amd64", context as RunContext)).version;
  };

  it("what the image's label says, whatever its tag", async () => {
    expect(await versionFor("mine:v1.9.11", ["mine:v1.9.11", { labels: hyperkubeLabels("v1.20.2") }])).toBe("v1.20.2");
  });

  it("what the tag says of an image without our labels, or that has yet to be pulled", async () => {
    const labels = { "org.opencontainers.image.version": "24.04" };
    const [pause = "", etcd = ""] = sides;
    expect(await versionFor("mine:v1.9.11", ["mine:v1.9.11", { labels }], [pause], [etcd])).toBe("v1.9.11");
    expect(await versionFor(published)).toBe(old);
  });

  it("the default without an image", async () => {
    const tag = `tsdeploy/hyperkube:${defaultVersion}`;
    expect(await versionFor(undefined, [tag, { labels: hyperkubeLabels(defaultVersion) }])).toBe(defaultVersion);
  });

  it("to be named if neither says it, or it is none that is supported", async () => {
    await expect(versionFor("mine:latest", ["mine:latest"])).rejects.toMatchObject({
      kind: "usage",
      problems: [{ code: "IMAGE_VERSION_UNKNOWN", hint: expect.stringContaining("--k8s-version") as string }],
    });
    await expect(versionFor("mine:v1.2.0", ["mine:v1.2.0"])).rejects.toMatchObject({
      problems: [{ code: "VERSION_UNSUPPORTED" }],
    });
  });
});

describe("images for machines of another architecture", () => {
  it("are refused if pause and etcd would take the names of this machine's", async () => {
    const arm64 = publishedImage(old, "arm64") ?? "";
    const engine = fakeEngine({ registry: { [arm64]: fakeImage(arm64, { architecture: "arm64" }) } });
    const set = references(engine, options(), "arm64");
    await expect(set).rejects.toMatchObject({
      kind: "environment",
      problems: [{ code: "IMAGE_ARCHITECTURE", hint: expect.stringContaining("--arch arm64") as string }],
    });
    expect(engine.pulls).toEqual([`${arm64} for linux/arm64`]);
  });

  it("are what one holds that was built for them", async () => {
    const tag = "tsdeploy/hyperkube-arm64:v1.36.2";
    const native = fakeImage("tsdeploy/hyperkube:v1.36.2", { labels: hyperkubeLabels("v1.36.2") });
    const foreign = fakeImage(tag, { labels: hyperkubeLabels("v1.36.2"), architecture: "arm64" });
    const engine = fakeEngine({ images: [native, foreign] });
    expect(await references(engine, options({ k8sVersion: "v1.36.2" }), "arm64")).toEqual([tag]);
  });
});
