import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { furtherImages } from "../../src/addons/furtherImages.js";
import { mirrored, publishedImage } from "../../src/config/imageReference.js";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { type ImageSet, withImageSet } from "../../src/image/ensureImageSet.js";
import { versionOfImage } from "../../src/image/versionOfImage.js";
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
  const rest = { registryMirrors: {}, pullTimeoutMs: 1000, output: "text", yes: false, verbose: false } as const;
  return { k8sVersion: old, network: "none", dns: false, ...rest, ...more };
}

const context = { report: () => undefined, signal: new AbortController().signal, env: {} } as Partial<RunContext>;

async function ensure(engine: ReturnType<typeof fakeEngine>, asked: ImageSetOptions, architecture: string) {
  const same = (set: ImageSet): Promise<ImageSet> => Promise.resolve(set);
  const wanted = { ...asked, architecture, further: furtherImages(asked) };
  return withImageSet(engine, wanted, context as RunContext, same);
}

async function references(engine: ReturnType<typeof fakeEngine>, asked: ImageSetOptions, architecture = "amd64") {
  const { images } = await ensure(engine, asked, architecture);
  return images.map(({ reference }) => reference);
}

const asking = { registryMirrors: {}, pullTimeoutMs: 1000, context: context as RunContext };

/** An engine whose containers print what the probe of an image would. */
function withProbe(engine: ReturnType<typeof fakeEngine>, printed: string): ContainerEngine {
  const stdin = new PassThrough();
  return Object.assign(engine, {
    runAttached: () => Promise.resolve({ id: "probe", stdin }),
    exec: () => Promise.resolve({ exitCode: 0, stdout: Buffer.from(printed), stderr: "" }),
    removeContainer: () => Promise.resolve(),
  });
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

  it("flannel and CoreDNS, as far as the cluster has them and the image has them not", async () => {
    const flannel = "docker.io/flannel/flannel:v0.28.9";
    const coredns = "registry.k8s.io/coredns/coredns:v1.14.2";
    const pulled = async (labels: Record<string, string>, more: Partial<ImageSetOptions>) => {
      const image = fakeImage("mine:1", { labels: { ...hyperkubeLabels("v1.36.2"), ...labels } });
      const engine = fakeEngine({
        images: [image],
        registry: Object.fromEntries([flannel, coredns].map((name) => [name, fakeImage(name)])),
      });
      const asked = { k8sVersion: "v1.36.2", image: "mine:1", network: "flannel", dns: true, ...more } as const;
      expect((await references(engine, options(asked))).slice(1)).toEqual(engine.pulls);
      return engine.pulls;
    };
    expect(await pulled({}, {})).toEqual([flannel, coredns]);
    expect(await pulled({}, { network: "bridge" })).toEqual([coredns]);
    expect(await pulled({}, { dns: false })).toEqual([flannel]);
    expect(await pulled({ "io.tsdeploy.image.coredns": "1.14.2" }, {})).toEqual([flannel]);
    const both = { "io.tsdeploy.image.coredns": "unknown", "io.tsdeploy.image.flannel": "0.28.9" };
    expect(await pulled(both, {})).toEqual([]);
  });

  it("those of add-ons that are to be turned on, and of the person's own", async () => {
    const metrics = "registry.k8s.io/metrics-server/metrics-server:v0.8.0";
    const engine = fakeEngine({
      images: [fakeImage("tsdeploy/hyperkube:v1.36.2", { labels: hyperkubeLabels("v1.36.2") })],
      registry: Object.fromEntries([metrics, "lab/web:1", "busybox:latest"].map((name) => [name, fakeImage(name)])),
    });
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec: {
      initContainers: [{ name: "first", image: "busybox" }], containers: [{ name: "web", image: "lab/web:1" }] } };
    const asked = { enabledAddons: ["metrics-server"], addons: [{ name: "web.json", content: JSON.stringify(pod) }] } as const;
    await references(engine, options({ k8sVersion: "v1.36.2", ...asked }));
    expect(engine.pulls).toEqual([metrics, "busybox:latest", "lab/web:1"]);
  });

  it("none at all if one of the add-ons is not for that version", async () => {
    const engine = fakeEngine({ registry });
    await expect(references(engine, options({ enabledAddons: ["dashboard"], k8sVersion: "v1.18.0" }))).rejects.toMatchObject({
      kind: "usage",
      problems: [{ code: "ADDON_UNAVAILABLE" }],
    });
    expect(engine.pulls).toEqual([]);
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
    return (await ensure(fakeEngine({ images, registry }), asked, "amd64")).version;
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

  it("what the label of an image says that is pulled for that, where its tag says none", async () => {
    const there = { "mine:latest": fakeImage("mine:latest", { labels: hyperkubeLabels("v1.20.2") }) };
    const asked = options({ image: "mine:latest" });
    Reflect.deleteProperty(asked, "k8sVersion");
    expect((await ensure(fakeEngine({ registry: there }), asked, "amd64")).version).toBe("v1.20.2");
  });

  it("what the kubelet in the image says, where nothing else does", async () => {
    const says = "version kubelet 0 Kubernetes v1.20.2+vendor.1\n";
    const engine = withProbe(fakeEngine({ images: [fakeImage("mine:latest")], registry }), says);
    expect(await versionOfImage(engine, "mine:latest", asking)).toBe("v1.20.2");
    const old = withProbe(fakeEngine({ images: [fakeImage("mine:latest")] }), "version /hyperkube 0 Kubernetes v1.3.6\n");
    expect(await versionOfImage(old, "mine:latest", asking)).toBe("v1.3.6");
  });

  it("to be named if nothing says it, or it is none that is supported", async () => {
    const silent = withProbe(fakeEngine({ images: [fakeImage("mine:latest")] }), "version kubelet 127 not found\n");
    await expect(versionOfImage(silent, "mine:latest", asking)).rejects.toMatchObject({
      kind: "usage",
      problems: [{ code: "IMAGE_VERSION_UNKNOWN", hint: expect.stringContaining("--k8s-version") as string }],
    });
    await expect(versionFor("mine:v1.2.0", ["mine:v1.2.0"])).rejects.toMatchObject({
      problems: [{ code: "VERSION_UNSUPPORTED" }],
    });
  });
});

describe("images for machines of another architecture", () => {
  const arm64 = publishedImage(old, "arm64") ?? "";
  const foreign = (name: string) => fakeImage(name, { architecture: "arm64", id: `sha256:arm64-${name}` });

  it("have this machine's names only for a while", async () => {
    const [pause = "", etcd = ""] = sides;
    const engine = fakeEngine({
      images: [fakeImage(pause)],
      registry: Object.fromEntries([arm64, ...sides].map((name) => [name, foreign(name)])),
    });
    const wanted = { ...options(), architecture: "arm64", further: () => [] };
    const architectures = await withImageSet(engine, wanted, context as RunContext, ({ images }) =>
      Promise.all(images.map(async ({ reference }) => (await engine.inspectImage(reference))?.architecture)),
    );
    expect(architectures).toEqual(["arm64", "arm64", "arm64"]);
    expect(engine.pulls).toEqual([arm64, ...sides].map((name) => `${name} for linux/arm64`));
    // What was here has its name again; what was not is gone, or a node would take it.
    expect(await engine.inspectImage(pause)).toEqual(fakeImage(pause));
    expect(await engine.inspectImage(etcd)).toBeUndefined();
  });

  it("are refused if the registry has none for them", async () => {
    const registryOf = { [arm64]: foreign(arm64), ...registry };
    const engine = fakeEngine({ registry: { ...registryOf, [arm64]: foreign(arm64) } });
    await expect(references(engine, options(), "arm64")).rejects.toMatchObject({
      kind: "environment",
      problems: [{ code: "IMAGE_ARCHITECTURE", hint: expect.stringContaining("--arch arm64") as string }],
    });
  });

  it("are what one holds that was built for them", async () => {
    const tag = "tsdeploy/hyperkube-arm64:v1.36.2";
    const native = fakeImage("tsdeploy/hyperkube:v1.36.2", { labels: hyperkubeLabels("v1.36.2") });
    const foreign = fakeImage(tag, { labels: hyperkubeLabels("v1.36.2"), architecture: "arm64" });
    const engine = fakeEngine({ images: [native, foreign] });
    expect(await references(engine, options({ k8sVersion: "v1.36.2" }), "arm64")).toEqual([tag]);
  });
});
