import { describe, expect, it } from "vitest";
import { chooseSources, versionsOf, withoutFailed } from "../../src/image/chooseSources.js";
import { choosePause } from "../../src/image/choosePause.js";
import { type FoundBinaries, noBinaries } from "../../src/image/findBinaries.js";
import { kubernetesPrograms, type OptionalPart, type Part } from "../../src/image/imageContents.js";
import { parseProbe } from "../../src/image/probeImage.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { ReportEvent } from "../../src/report/events.js";

/** What the probe prints for Debian with etcd, CNI plugins and catatonit. */
const debian = `program bash /usr/bin/bash
program etcd /usr/bin/etcd
program catatonit /usr/bin/catatonit
version etcd 0 etcd Version: 3.4.23
version cri-dockerd 127 sh: 1: cri-dockerd: not found
version catatonit 0 tini version 0.1.7_catatonit
plugin /usr/lib/cni bridge
plugin /usr/lib/cni host-local
plugin /usr/lib/cni loopback
plugin /usr/lib/cni portmap
version /usr/lib/cni/loopback 0 CNI loopback plugin v1.1.1
`;

function given(more: Partial<FoundBinaries> = {}): FoundBinaries {
  return { ...noBinaries, ...more };
}

interface More {
  readonly complete?: boolean;
  readonly unknown?: readonly OptionalPart[];
}

function choose(
  found: FoundBinaries,
  probed: string | undefined,
  version = "v1.36.2",
  { complete = false, unknown = [] }: More = {},
) {
  const said: string[] = [];
  const features = featuresOf(version);
  const probe = probed === undefined ? undefined : parseProbe(probed);
  const isDownloadable = (part: OptionalPart): boolean => !unknown.includes(part);
  const request = { binaries: "DIR", base: "BASE", complete, isDownloadable };
  const sources = chooseSources(found, probe, features, request, (event: ReportEvent) => {
    if (event.kind === "warning" || event.kind === "notice") said.push(event.message);
  });
  const versions = versionsOf(features, found, probe, sources);
  return { ...sources, sources, download: [...sources.download].sort(), said, versions };
}

describe("the parts of an image", () => {
  it("are downloaded where neither the folder nor the base has them", () => {
    const { download, said, versions, cniFolder } = choose(given(), undefined);
    expect(download).toEqual([...kubernetesPrograms, "cni-plugins", "cri-dockerd", "etcd"].sort());
    expect(said).toEqual([expect.stringMatching(/^kube-apiserver, .*: neither in DIR nor in BASE, so downloaded$/)]);
    const { etcd, cni, criDockerd, flannel, coredns } = featuresOf("v1.36.2").components;
    expect(versions).toEqual({ etcd, "cni-plugins": cni, "cri-dockerd": criDockerd, flannel, coredns });
    expect(cniFolder).toBe("/usr/local/lib/cni");
  });

  it("come from the folder and the base without any download where these have all", () => {
    const parts = new Set<Part>([...kubernetesPrograms, "cri-dockerd"]);
    const found = given({ parts, versions: { "cri-dockerd": "0.3.26" } });
    const { download, said, versions, cniFolder, usesGivenPlugins } = choose(found, debian);
    expect([download, said]).toEqual([[], []]);
    expect(cniFolder).toBe("/usr/lib/cni");
    expect(usesGivenPlugins).toBe(false);
    expect(versions).toEqual({ etcd: "3.4.23", "cni-plugins": "1.1.1", "cri-dockerd": "0.3.26" });
  });

  it("of the folder win over the base's", () => {
    const found = given({ parts: new Set<Part>(["etcd", "cni-plugins"]), versions: { etcd: "3.6.8" } });
    const { cniFolder, versions, fromBase } = choose(found, debian);
    expect(cniFolder).toBe("/usr/local/lib/cni");
    expect(versions.etcd).toBe("3.6.8");
    expect(fromBase.size).toBe(0);
  });

  it("are not taken from a base where they cannot be used", () => {
    const broken = debian.replace("version etcd 0 etcd Version: 3.4.23", "version etcd 127 not found");
    expect(choose(given(), broken).download).toContain("etcd");
    const tooNew = debian.replace("3.4.23", "3.6.8");
    expect(choose(given(), tooNew, "v1.5.0").download).toContain("etcd");
    expect(choose(given(), debian, "v1.5.0").download).not.toContain("etcd");
    const few = debian.replace("plugin /usr/lib/cni bridge\n", "");
    expect(choose(given(), few).download).toContain("cni-plugins");
  });

  it("are only those that the version needs", () => {
    expect(choose(given(), undefined, "v1.20.2").download).not.toContain("cri-dockerd");
    const noPortmap = debian.replace("plugin /usr/lib/cni portmap\n", "");
    expect(choose(given(), noPortmap, "v1.3.0").download).not.toContain("cni-plugins");
    expect(choose(given(), noPortmap, "v1.20.2").download).toContain("cni-plugins");
  });

  it("that a folder has only some of are completed, or left to a base that has all", () => {
    const found = given({ incompletePlugins: ["bridge"] });
    expect(choose(found, undefined)).toMatchObject({ usesGivenPlugins: true, cniFolder: "/usr/local/lib/cni" });
    const { usesGivenPlugins, said } = choose(found, debian);
    expect(usesGivenPlugins).toBe(false);
    expect(said[0]).toContain("DIR holds only some of the CNI plugins (bridge)");
  });
});

const whole = given({ parts: new Set<Part>([...kubernetesPrograms, "cri-dockerd"]) });
const withBoth = `${debian}program flanneld /usr/bin/flanneld
version flanneld 0 v0.28.5
program coredns /usr/bin/coredns
version coredns 0 CoreDNS-1.13.1
`;

describe("flannel and CoreDNS", () => {
  it("are downloaded beside other parts, if a download can be trusted", () => {
    const { attempt, download, leftOut } = choose(given(), debian, "v1.36.2", { unknown: ["flannel"] });
    expect(download).not.toContain("coredns");
    expect([...attempt]).toEqual(["coredns"]);
    expect([...leftOut]).toEqual([["flannel", expect.stringContaining("checksum")]]);
  });

  it("are not what makes a build need a network", () => {
    const { attempt, download, leftOut, versions } = choose(whole, debian);
    expect([download, attempt.size]).toEqual([[], 0]);
    expect([...leftOut.keys()]).toEqual(["flannel", "coredns"]);
    expect(Object.keys(versions)).not.toContain("coredns");
  });

  it("are parts like any other for who asks for a complete image", () => {
    const { attempt, download, leftOut } = choose(whole, debian, "v1.36.2", { complete: true, unknown: ["flannel"] });
    expect(download).toEqual(["coredns", "flannel"]);
    expect([attempt.size, leftOut.size]).toEqual([0, 0]);
  });

  it("come from the folder, or from a base where they run", () => {
    const parts = new Set<Part>([...whole.parts, "flannel"]);
    const { fromBase, versions } = choose({ ...whole, parts, versions: { flannel: "0.28.9" } }, withBoth);
    expect(fromBase).toContain("coredns");
    expect(fromBase).not.toContain("flannel");
    expect(versions).toMatchObject({ flannel: "0.28.9", coredns: "1.13.1" });
    const broken = withBoth.replace("version flanneld 0", "version flanneld 127");
    expect([...choose(whole, broken).leftOut.keys()]).toEqual(["flannel"]);
  });

  it("are named without a version where the program does not say it", () => {
    const parts = new Set<Part>([...whole.parts, "coredns"]);
    expect(choose({ ...whole, parts }, debian).versions.coredns).toBe("unknown");
  });

  it("do not come from a base whose CoreDNS cannot read this server's objects", () => {
    expect([...choose(whole, withBoth, "v1.20.2").leftOut.keys()]).toEqual(["coredns"]);
    expect(choose(whole, withBoth.replace("1.13.1", "1.10.1"), "v1.20.2").leftOut.size).toBe(0);
  });

  it("that could not be downloaded are not said to be there", () => {
    const features = featuresOf("v1.36.2");
    const { sources } = choose(given(), debian);
    const left = withoutFailed(sources, new Map([["coredns", "no way there"]]));
    expect([...left.leftOut]).toEqual([["coredns", "no way there"]]);
    const versions = versionsOf(features, given(), parseProbe(debian), left);
    expect(versions).toMatchObject({ flannel: features.components.flannel });
    expect(versions.coredns).toBeUndefined();
  });
});

describe("a pod's first process", () => {
  it.each([
    ["is the folder's", { hasPause: true }, `${debian}pause\n`, ["/pause"], 0],
    ["is the base's", {}, `${debian}pause\n`, ["/pause"], 0],
    ["is catatonit", {}, debian, ["/usr/bin/catatonit", "-P"], 0],
    ["is no catatonit that cannot pause", {}, debian.replace("0.1.7_", "0.1.5_"), ["/pause"], 1],
    ["is a script", {}, "program bash /usr/bin/bash\n", ["/pause"], 1],
    ["is a script where nothing is known", {}, undefined, ["/pause"], 1],
  ])("%s", async (_name, more, probed, command, files) => {
    const probe = probed === undefined ? undefined : parseProbe(probed);
    const pause = await choosePause(given(more), probe);
    expect(pause.command).toEqual(command);
    expect(pause.files.map(({ path }) => path)).toEqual(Array.from({ length: files }, () => "pause"));
  });
});
