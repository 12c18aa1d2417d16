import { expect, test } from "vitest";
import { helperImage } from "../../src/image/helperImage.js";
import type { ContainerSummary, ImageDetails } from "../../src/model/dockerObjects.js";
import { imageLabels } from "../../src/model/imageLabels.js";
import { labels } from "../../src/model/hostLayout.js";
import { image as details } from "../host/fixtures.js";

function container(component: string, image: string, more: Readonly<Record<string, string>> = {}): ContainerSummary {
  const name = `kube_${component}_x`;
  const all = { ...more, [labels.component]: component };
  return { id: name, name, image, imageId: `id of ${image}`, labels: all, state: "running", status: "Up", createdAt: 0 };
}

function image(tag: string, more: Readonly<Record<string, string>> = {}): ImageDetails {
  return { ...details, id: `id of ${tag}`, tags: [tag], labels: more };
}

const flannel = container("flannel", "docker.io/flannel/flannel:v0.28.9");
const etcd = container("etcd", "registry.k8s.io/etcd:3.5.26-0");
const official = "registry.k8s.io/hyperkube:v1.18.20";
const built = "lab/kubernetes:v1.20.2";
const label = { [imageLabels.pause]: "/pause" };

test.each([
  ["the kubelet's", [flannel, etcd, container("kubelet", built)], [], built],
  ["that of another container by its label", [flannel, container("cri", built, label)], [], built],
  ["that of another container by its name", [flannel, container("proxy", official)], [], official],
  ["one that is here, when only flannel and etcd are left", [flannel, etcd], [image(built, label), image("a:b")], built],
  ["a published one", [etcd], [image("a:b"), image(official)], official],
  ["any of ours, as the last thing to try", [etcd], [image("a:b")], etcd.image],
])("a helper runs from %s", async (_, containers, images, wanted) => {
  expect(await helperImage({ listImages: () => Promise.resolve(images) }, containers)).toBe(`id of ${wanted}`);
});

test("and from nothing where nothing is", async () => {
  expect(await helperImage({ listImages: () => Promise.resolve([image("a:b")]) }, [])).toBeUndefined();
});
