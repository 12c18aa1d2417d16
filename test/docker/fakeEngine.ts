import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import type { ImageDetails } from "../../src/model/dockerObjects.js";

export interface FakeEngine extends ContainerEngine {
  /** `docker.io/a:1 for linux/arm64` */
  readonly pulls: readonly string[];
}

export interface FakeEngineInput {
  readonly architecture?: string;
  readonly images?: readonly ImageDetails[];
  /** What a registry has, by the name that it is pulled by; undefined: nothing can be pulled. */
  readonly registry?: Readonly<Record<string, ImageDetails | Error>>;
}

/** An engine that has images, and nothing else. */
export function fakeEngine({ architecture = "amd64", images = [], registry = {} }: FakeEngineInput): FakeEngine {
  const here = new Map(images.flatMap((image) => [image.id, ...image.tags].map((name) => [name, image])));
  const pulls: string[] = [];
  const engine: Partial<FakeEngine> = {
    endpoint: "unix:///fake.sock",
    pulls,
    version: () =>
      Promise.resolve({ version: "26.1.5", apiVersion: "1.45", minApiVersion: "1.24", os: "linux", architecture }),
    inspectImage: (reference) => Promise.resolve(here.get(reference)),
    listImages: (labels) =>
      Promise.resolve(
        [...new Set(here.values())].filter((image) =>
          labels.every((label) => {
            const [name = "", value] = label.split("=");
            return name in image.labels && (value === undefined || image.labels[name] === value);
          }),
        ),
      ),
    pullImage: (reference, { platform }) => {
      pulls.push(platform === undefined ? reference : `${reference} for ${platform}`);
      const image = registry[reference] ?? new Error(`nobody has ${reference}`);
      if (image instanceof Error) return Promise.reject(image);
      here.set(reference, image);
      return Promise.resolve();
    },
  };
  engine.tagImage = (reference, tag) => {
    const image = here.get(reference) ?? images.find(({ id }) => id === reference);
    if (image) here.set(tag, image);
    return image ? Promise.resolve() : Promise.reject(new Error(`there is no ${reference}`));
  };
  engine.removeImage = (reference) => {
    here.delete(reference);
    return Promise.resolve();
  };
  return engine as FakeEngine;
}

/** An image of ours. */
export function fakeImage(tag: string, more: Partial<ImageDetails> = {}): ImageDetails {
  return {
    id: `sha256:${Buffer.from(tag).toString("hex")}`,
    tags: [tag],
    repoDigests: [],
    architecture: "amd64",
    os: "linux",
    labels: {},
    command: [],
    sizeBytes: 1,
    createdAt: "2026-01-01T00:00:00Z",
    layers: [`sha256:${tag}`],
    ...more,
  };
}

/** Labels of an image that `tsdeploy image build` made. */
export function hyperkubeLabels(version: string): Record<string, string> {
  return { "io.tsdeploy.image.pause": "/pause", "org.opencontainers.image.version": version };
}
