import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findBinaries } from "../../src/image/findBinaries.js";
import { kubernetesPrograms } from "../../src/image/imageContents.js";
import { goStrings } from "../../src/image/readBinary.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { Architecture } from "../../src/model/options.js";
import { fakeBinary } from "./fakeBinary.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "binaries-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

async function put(name: string, content: Buffer | string): Promise<void> {
  await mkdir(dirname(join(folder, name)), { recursive: true });
  await writeFile(join(folder, name), content);
}

async function putKubernetes(version: string, names: readonly string[] = kubernetesPrograms): Promise<void> {
  for (const name of names) await put(name, fakeBinary({ strings: [version, "v1.0.0-other"] }));
}

async function find(version: string, architecture: Architecture = "amd64") {
  return findBinaries(folder, featuresOf(version), architecture);
}

async function problems(version: string, architecture: Architecture = "amd64") {
  const error: unknown = await find(version, architecture).catch((thrown: unknown) => thrown);
  if (!(error instanceof TsdeployError)) throw new Error("it was taken", { cause: error });
  return error.problems.map(({ code, message }) => `${code}: ${message.replaceAll(folder, "DIR")}`);
}

/** What Go writes into a program about its sources. */
function corednsBuild(version: string): Buffer {
  return Buffer.from(`go1.24\npath\tgithub.com/coredns/coredns\nmod\tgithub.com/coredns/coredns\t${version}\t\ndep\tx\tv9.9.9\t\n`);
}

describe("a Go program", () => {
  it("tells the values of its variables", async () => {
    await put("program", fakeBinary({ strings: ["v1.36.2", "v0.9.9", "hello", "v1.36.2-but-this-is-in-no-variable"] }));
    expect(await goStrings(join(folder, "program"), /^v1\.\d+\.\d+$/)).toEqual(new Set(["v1.36.2"]));
    await put("data", Buffer.from("\x7fELF and no more"));
    expect(await goStrings(join(folder, "data"), /./)).toEqual(new Set());
  });
});

describe("a folder of programs", () => {
  it("gives what it has", async () => {
    await putKubernetes("v1.36.2");
    await put("etcd", fakeBinary({ strings: ["3.0.0", "3.6.8"] }));
    await put("etcdctl", fakeBinary());
    await put("cri-dockerd", fakeBinary({ strings: ["0.1.0", "0.4.0", "0.3.26", "1.0.0"] }));
    await put("flanneld", fakeBinary({ strings: ["v0.28.9", "3.5.7"] }));
    await put("coredns", Buffer.concat([fakeBinary(), corednsBuild("v1.14.2")]));
    await put("pause", "#!/bin/sh\n");
    for (const plugin of ["bridge", "host-local"]) await put(plugin, fakeBinary());
    for (const plugin of ["loopback", "portmap", "our-own"]) await put(`cni/${plugin}`, fakeBinary());
    await put("README.md", "hello");
    await put("kubeadm", "not looked at");
    const found = await find("v1.36.2");
    expect(found.files.map(({ path }) => path).sort()).toEqual(
      [
        ...["bridge", "host-local", "loopback", "our-own", "portmap"].map((name) => `usr/local/lib/cni/${name}`),
        "pause",
        ...[...kubernetesPrograms, "etcd", "etcdctl", "cri-dockerd", "flanneld", "coredns"].map((name) => `usr/local/bin/${name}`),
      ].sort(),
    );
    expect([...found.parts].sort()).toEqual(
      [...kubernetesPrograms, "cni-plugins", "coredns", "cri-dockerd", "etcd", "flannel"].sort(),
    );
    expect(found).toMatchObject({ hasPause: true, warnings: [], incompletePlugins: [] });
    expect(found.versions).toEqual({ etcd: "3.6.8", "cri-dockerd": "0.3.26", flannel: "0.28.9", coredns: "1.14.2" });
  });

  it("may have only some", async () => {
    await putKubernetes("v1.36.2", ["kubelet"]);
    await put("bridge", fakeBinary());
    const found = await find("v1.36.2");
    expect([...found.parts]).toEqual(["kubelet"]);
    expect(found.incompletePlugins).toEqual(["bridge"]);
  });

  it.each(["v1.36.2+vendor.1", "v1.36.2+$Format:%h$"])("may have builds of the version such as %s", async (version) => {
    await putKubernetes(version);
    expect((await find("v1.36.2")).parts.size).toBe(kubernetesPrograms.length);
  });

  it("with a version in a place where it is not looked for is taken, too", async () => {
    await put("kubelet", Buffer.concat([fakeBinary(), Buffer.from("xv1.36.2x")]));
    expect([...(await find("v1.36.2")).parts]).toEqual(["kubelet"]);
  });

  it("with programs that were built without a version is taken, with a word about it", async () => {
    await put("kubelet", fakeBinary({ strings: ["v0.0.0-master+$Format:%H$"] }));
    expect((await find("v1.36.2")).warnings).toEqual(["kubelet: built without a version"]);
  });

  it("with the one hyperkube of old has all its programs", async () => {
    await put("hyperkube", fakeBinary({ strings: ["v1.6.0"] }));
    await putKubernetes("v1.6.0", ["kubectl"]);
    const { files, parts } = await find("v1.6.0");
    expect([...parts].sort()).toEqual([...kubernetesPrograms]);
    const scripts = files.flatMap(({ path, source }) => ("content" in source ? [[path, source.content]] : []));
    expect(Object.fromEntries(scripts)).toMatchObject({
      "usr/local/bin/kube-proxy": '#!/bin/sh\nexec /usr/local/bin/hyperkube proxy "$@"\n',
      "usr/local/bin/kubelet": '#!/bin/sh\nexec /usr/local/bin/hyperkube kubelet "$@"\n',
    });
    expect(scripts).toHaveLength(5);
  });

  it("with the script that took hyperkube's place is not misled by it", async () => {
    await put("hyperkube", "#!/bin/bash\n");
    await putKubernetes("v1.20.2", ["kubelet"]);
    expect((await find("v1.20.2")).files).toHaveLength(1);
  });
});

describe("a folder of programs is refused", () => {
  it("for all that is wrong in it, at once", async () => {
    await putKubernetes("v1.20.2", ["kubelet", "kubectl"]);
    await put("kube-proxy", fakeBinary({ architecture: "arm64", strings: ["v1.36.2"] }));
    await put("kube-scheduler", "<html>");
    await put("kube-apiserver", "#!/bin/sh\n");
    await put("cni/bridge", fakeBinary({ architecture: "arm64" }));
    expect((await problems("v1.36.2")).sort()).toEqual([
      "BINARY_ARCHITECTURE: kube-proxy, cni/bridge in DIR: for arm64, not amd64",
      "BINARY_VERSION: kubectl, kubelet in DIR: v1.20.2 or v1.0.0-other, not v1.36.2",
      "NOT_A_BINARY: kube-apiserver in DIR: a script, not a program",
      "NOT_A_BINARY: kube-scheduler in DIR: a web page, not a program",
    ]);
  });

  it("for a version that only looks like the one asked for", async () => {
    await put("kubelet", Buffer.concat([fakeBinary(), Buffer.from("v1.20.21")]));
    expect(await problems("v1.20.2")).toEqual(["BINARY_VERSION: kubelet in DIR: nowhere says that it is v1.20.2"]);
  });

  it("for a pre-release of the version", async () => {
    await put("kubelet", fakeBinary({ strings: ["v1.36.2-rc.1"] }));
    expect(await problems("v1.36.2")).toEqual(["BINARY_VERSION: kubelet in DIR: v1.36.2-rc.1, not v1.36.2"]);
  });

  it("for another version in the one hyperkube", async () => {
    await put("hyperkube", fakeBinary({ strings: ["v1.7.0"] }));
    expect(await problems("v1.6.0")).toEqual(["BINARY_VERSION: hyperkube in DIR: v1.7.0, not v1.6.0"]);
  });

  it("for an etcd that the version cannot use", async () => {
    await put("etcd", fakeBinary({ strings: ["3.6.8"] }));
    expect((await problems("v1.5.0"))[0]).toMatch(/^ETCD_VERSION: DIR\/etcd is etcd 3\.6\.8/);
    expect((await find("v1.6.0")).versions.etcd).toBe("3.6.8");
  });

  it("for a CoreDNS that cannot read the version's objects", async () => {
    await put("coredns", Buffer.concat([fakeBinary(), corednsBuild("v1.11.1")]));
    expect((await problems("v1.20.2"))[0]).toMatch(/^COREDNS_VERSION: DIR\/coredns is CoreDNS 1\.11\.1/);
    expect((await find("v1.21.0")).versions.coredns).toBe("1.11.1");
  });

  it("not for a CoreDNS that does not say of which version it is", async () => {
    await put("coredns", Buffer.concat([fakeBinary(), corednsBuild("(devel)")]));
    const { parts, versions } = await find("v1.20.2");
    expect([[...parts], versions.coredns]).toEqual([["coredns"], undefined]);
  });

  it("if it holds nothing of use, or is none", async () => {
    await put("README.md", "hello");
    expect((await problems("v1.36.2"))[0]).toMatch(/^BINARIES_MISSING/);
    await rm(folder, { recursive: true });
    expect((await problems("v1.36.2"))[0]).toMatch(/^BINARIES_UNREADABLE/);
    await mkdir(folder);
  });
});
