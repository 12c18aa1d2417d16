import { describe, expect, it } from "vitest";
import { type Artifact, artifactsFor, isDownloadable } from "../../src/image/artifacts.js";
import { kubernetesPrograms, type Part } from "../../src/image/imageContents.js";
import {
  criDockerdArchives,
  hyperkubePrograms,
  serverArchives,
  wholeArchives,
} from "../../src/image/pinnedChecksums.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { TsdeployError } from "../../src/model/errors.js";

const all: ReadonlySet<Part> = new Set([...kubernetesPrograms, "etcd", "cni-plugins", "cri-dockerd", "coredns"]);
const architectures = ["amd64", "arm64"] as const;
/** A version of each minor; before v1.12 one whose checksum is known. */
const versions = [
  ...["v1.3.6", "v1.4.12", "v1.5.8", "v1.6.13", "v1.7.16", "v1.8.15", "v1.9.11", "v1.10.8", "v1.10.13", "v1.11.5", "v1.11.10"],
  ...Array.from({ length: 36 - 12 + 1 }, (_, index) => `v1.${12 + index}.2`),
];
const cases = versions.flatMap((version) => architectures.map((architecture) => ({ version, architecture })));

function byName(artifacts: readonly Artifact[]): ReadonlyMap<string, Artifact> {
  return new Map(artifacts.map((artifact) => [artifact.name, artifact]));
}

/** What of all these files ends where in the image. */
function targets(artifacts: readonly Artifact[]): string[] {
  return artifacts
    .flatMap(({ contents }) => {
      if (contents.kind === "archive") return Object.values(contents.members);
      return [contents.target, ...(contents.kind === "program" ? Object.keys(contents.scripts ?? {}) : [])];
    })
    .sort();
}

describe("CoreDNS", () => {
  it("is downloaded by the checksum beside it", () => {
    const [file] = artifactsFor(featuresOf("v1.20.2"), "arm64", new Set<Part>(["coredns"]));
    const url = "https://github.com/coredns/coredns/releases/download/v1.10.1/coredns_1.10.1_linux_arm64.tgz";
    expect(file).toEqual({
      name: "coredns",
      url,
      checksum: [{ algorithm: "sha256", url: `${url}.sha256` }],
      contents: { kind: "archive", members: { coredns: "usr/local/bin/coredns" } },
    });
  });
});

describe("flannel", () => {
  it.each(architectures)("for %s is downloaded only by a checksum that is known", (architecture) => {
    const features = featuresOf("v1.36.2");
    const files = (): readonly Artifact[] => artifactsFor(features, architecture, new Set<Part>(["flannel"]));
    if (isDownloadable("flannel", features, architecture)) expect(files()).toHaveLength(1);
    else expect(files).toThrow("there is no checksum by which a download of flannel 0.28.9");
  });
});

describe("the files of a version", () => {
  it.each(cases)("$version for $architecture are all there is in the image", ({ version, architecture }) => {
    const features = featuresOf(version);
    const programs = [...kubernetesPrograms, "etcd", "etcdctl", "coredns"];
    if (features.runtime === "cri-dockerd") programs.push("cri-dockerd");
    expect(targets(artifactsFor(features, architecture, all)).filter((target) => !target.endsWith("hyperkube"))).toEqual(
      ["usr/local/lib/cni", ...programs.map((program) => `usr/local/bin/${program}`)].sort(),
    );
  });

  it.each(cases)("$version for $architecture have a checksum that is no weak one", ({ version, architecture }) => {
    for (const { name, url, checksum } of artifactsFor(featuresOf(version), architecture, all)) {
      expect(url).toMatch(/^https:\/\/(dl\.k8s\.io|github\.com)\//);
      expect(url, name).toContain(name === "kubernetes" && url.endsWith("kubernetes.tar.gz") ? "" : architecture);
      if ("value" in checksum) {
        expect(checksum.value).toMatch(checksum.algorithm === "sha512" ? /^[0-9a-f]{128}$/ : /^[0-9a-f]{64}$/);
      } else {
        expect(checksum.length).toBeGreaterThan(0);
        for (const source of checksum) expect(source.url).toMatch(/^https:/);
        // The strongest first.
        expect(checksum.map(({ algorithm }) => algorithm)).toEqual(
          [...checksum.map(({ algorithm }) => algorithm)].sort().reverse(),
        );
      }
    }
  });

  it("of today are those of the projects' release pages", () => {
    const files = byName(artifactsFor(featuresOf("v1.36.2"), "arm64", all));
    const { etcd, cni, criDockerd = "" } = featuresOf("v1.36.2").components;
    expect(files.get("kubelet")).toEqual({
      name: "kubelet",
      url: "https://dl.k8s.io/release/v1.36.2/bin/linux/arm64/kubelet",
      checksum: [
        { algorithm: "sha512", url: "https://dl.k8s.io/release/v1.36.2/bin/linux/arm64/kubelet.sha512" },
        { algorithm: "sha256", url: "https://dl.k8s.io/release/v1.36.2/bin/linux/arm64/kubelet.sha256" },
      ],
      contents: { kind: "program", target: "usr/local/bin/kubelet" },
    });
    const etcdFolder = `https://github.com/etcd-io/etcd/releases/download/v${etcd}`;
    expect(files.get("etcd")).toMatchObject({
      url: `${etcdFolder}/etcd-v${etcd}-linux-arm64.tar.gz`,
      checksum: [{ algorithm: "sha256", url: `${etcdFolder}/SHA256SUMS` }],
      contents: { members: { [`etcd-v${etcd}-linux-arm64/etcd`]: "usr/local/bin/etcd" } },
    });
    const cniFile =
      `https://github.com/containernetworking/plugins/releases/download/v${cni}/cni-plugins-linux-arm64-v${cni}.tgz`;
    expect(files.get("cni-plugins")).toMatchObject({ url: cniFile });
    expect(files.get("cni-plugins")?.checksum).toContainEqual({ algorithm: "sha512", url: `${cniFile}.sha512` });
    expect(files.get("cri-dockerd")).toMatchObject({
      url:
        "https://github.com/Mirantis/cri-dockerd/releases/download/" +
        `v${criDockerd}/cri-dockerd-${criDockerd}.arm64.tgz`,
      checksum: { algorithm: "sha256", value: criDockerdArchives[criDockerd]?.arm64 },
      contents: { members: { "cri-dockerd/cri-dockerd": "usr/local/bin/cri-dockerd" } },
    });
  });

  it("of old are in one archive, by a checksum that is known here", () => {
    const files = byName(artifactsFor(featuresOf("v1.11.10"), "amd64", new Set(["kubelet", "kubectl"])));
    expect([...files.values()]).toEqual([
      {
        name: "kubernetes",
        url: "https://dl.k8s.io/release/v1.11.10/kubernetes-server-linux-amd64.tar.gz",
        checksum: { algorithm: "sha512", value: serverArchives["v1.11.10"]?.amd64 },
        contents: {
          kind: "archive",
          members: {
            "kubernetes/server/bin/kubectl": "usr/local/bin/kubectl",
            "kubernetes/server/bin/kubelet": "usr/local/bin/kubelet",
          },
        },
      },
    ]);
    expect(artifactsFor(featuresOf("v1.10.0"), "arm64", new Set(["kube-proxy"]))).toEqual([
      {
        name: "hyperkube",
        url: "https://dl.k8s.io/release/v1.10.0/bin/linux/arm64/hyperkube",
        checksum: { algorithm: "sha256", value: hyperkubePrograms["v1.10.0"]?.arm64 },
        contents: {
          kind: "program",
          target: "usr/local/bin/hyperkube",
          scripts: { "usr/local/bin/kube-proxy": '#!/bin/sh\nexec /usr/local/bin/hyperkube proxy "$@"\n' },
        },
      },
    ]);
    expect(byName(artifactsFor(featuresOf("v1.3.6"), "arm64", all)).get("kubernetes")).toMatchObject({
      url: "https://dl.k8s.io/release/v1.3.6/kubernetes.tar.gz",
      checksum: { value: wholeArchives["v1.3.6"] },
      contents: { inner: "kubernetes/server/kubernetes-server-linux-arm64.tar.gz" },
    });
  });

  it("are only those that are asked for", () => {
    const files = artifactsFor(featuresOf("v1.20.2"), "amd64", new Set(["kubectl"]));
    expect(files.map(({ name }) => name)).toEqual(["kubectl"]);
    expect(artifactsFor(featuresOf("v1.20.2"), "amd64", new Set())).toEqual([]);
  });

  it("without a checksum that can be trusted are refused, with ways out", () => {
    const thrown = (version: string): TsdeployError => {
      try {
        artifactsFor(featuresOf(version), "amd64", all);
      } catch (error) {
        if (error instanceof TsdeployError) return error;
      }
      throw new Error("it was not refused");
    };
    // Only its SHA-1 is published.
    const [problem] = thrown("v1.3.0").problems;
    expect(problem?.code).toBe("CHECKSUM_UNKNOWN");
    expect(problem?.message).toContain("v1.3.0");
    expect(problem?.hint).toContain("--binaries");
    expect(problem?.hint).toMatch(/--image \S+\/hyperkube(-amd64)?:v1\.3\.0\./);
    expect(artifactsFor(featuresOf("v1.3.0"), "amd64", new Set(["etcd"]))).toHaveLength(1);
  });
});
