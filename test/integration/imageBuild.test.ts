import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { nanoid } from "nanoid";
import { pack } from "tar-stream";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectEngine } from "../../src/docker/connectEngine.js";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { buildHyperkube, type BuildRequest, type BuiltImage } from "../../src/image/buildHyperkube.js";
import { kubernetesPrograms } from "../../src/image/imageContents.js";
import { prepareBase } from "../../src/image/prepareBase.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { ReportEvent } from "../../src/report/events.js";
import { fakeBinary } from "../image/fakeBinary.js";
import { type ImageMirror, MirrorFolder } from "./support/imageMirror.js";
import { freshMachine, secondNumber } from "./support/testMachine.js";

const run = promisify(execFile);
const dockerHost = process.env["TSDEPLOY_TEST_DOCKER"] ?? "unix:///var/run/docker.sock";
const version = "v1.20.2";
/** Debian with etcd, CNI plugins and the tools, and Kubernetes. */
const hyperkube = `tsdeploy/hyperkube:${version}`;
const id = nanoid(8).toLowerCase().replace(/[^a-z0-9]/g, "x");
/** The same in one layer, without Kubernetes and pause. */
const base = `tsdeploy-test-${id}:base`;
/** And without etcd and CNI plugins. */
const bare = `tsdeploy-test-${id}:bare`;
const built = `tsdeploy-test-${id}:built`;

let engine: ContainerEngine;
let folder: string;
let programs: string;
let mirror: ImageMirror;
let first: BuiltImage;

async function docker(...args: string[]): Promise<string> {
  const env = { ...process.env, DOCKER_BUILDKIT: "0" };
  return (await run("docker", ["-H", dockerHost, ...args], { env })).stdout.trim();
}

/** An image that is another one, changed by a script. */
async function derive(from: string, tag: string, script: string): Promise<void> {
  const context = await mkdtemp(join(folder, "context-"));
  await writeFile(join(context, "Dockerfile"), `FROM ${from}\nCOPY script /script\nRUN sh -eu /script && rm /script\n`);
  await writeFile(join(context, "script"), script);
  await docker("build", "-q", "-t", tag, context);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "image-"));
  engine = await connectEngine({ dockerHost }, process.env);
  const real = (await run("scripts/dev/kubernetes")).stdout.trim();
  programs = join(folder, "programs");
  await mkdir(programs);
  // Any of them says its version; the smaller ones stand in for the others.
  for (const program of kubernetesPrograms) {
    await symlink(join(real, program === "kubectl" ? "kubectl" : "kube-proxy"), join(programs, program));
  }
  const container = await docker("create", hyperkube);
  const root = join(folder, "root");
  await mkdir(root);
  await docker("cp", `${container}:/usr/lib/cni`, join(root, "cni"));
  await mkdir(join(root, "etcd"));
  for (const program of ["etcd", "etcdctl"]) await docker("cp", `${container}:/usr/bin/${program}`, join(root, "etcd"));
  const without = ["usr/local/bin/*", "pause", "hyperkube"].map((path) => `--exclude=./${path}`);
  const flatten = `docker run --rm --entrypoint tar ${hyperkube} -C / --one-file-system ${without.join(" ")} -c .`;
  await run("bash", ["-euo", "pipefail", "-c", `${flatten} | docker import - ${base}`], {
    env: { ...process.env, DOCKER_HOST: dockerHost },
  });
  await docker("rm", container);
  await derive(base, bare, "rm -r /usr/lib/cni /usr/bin/etcd /usr/bin/etcdctl");

  const files = new MirrorFolder(join(folder, "mirror"));
  const { etcd, cni, coredns } = featuresOf(version).components;
  for (const program of kubernetesPrograms) {
    await files.addProgram(`dl.k8s.io/release/${version}/bin/linux/amd64/${program}`, join(programs, program));
  }
  const etcdName = `etcd-v${etcd}-linux-amd64`;
  const etcdPath = `github.com/etcd-io/etcd/releases/download/v${etcd}/${etcdName}.tar.gz`;
  await files.addArchive(etcdPath, join(root, "etcd"), `${etcdName}/`);
  const cniPath = `github.com/containernetworking/plugins/releases/download/v${cni}/cni-plugins-linux-amd64-v${cni}.tgz`;
  await files.addArchive(cniPath, join(root, "cni"), "./");
  const corednsPath = `github.com/coredns/coredns/releases/download/v${coredns}/coredns_${coredns}_linux_amd64.tgz`;
  await mkdir(join(root, "coredns"));
  // Any program that tells its version does.
  await symlink(join(root, "etcd", "etcd"), join(root, "coredns", "coredns"));
  await files.addArchive(corednsPath, join(root, "coredns"), "");
  mirror = await files.serve();
});

afterAll(async () => {
  await mirror.close();
  const ours = (await docker("images", "--format", "{{.Repository}}:{{.Tag}}", `tsdeploy-test-${id}`)).split("\n");
  await docker("rmi", "-f", ...ours);
  await engine.close();
  await rm(folder, { recursive: true });
});

interface Run extends Partial<BuildRequest> {
  readonly on?: ContainerEngine;
  readonly env?: NodeJS.ProcessEnv;
}

async function build({ on = engine, env, ...request }: Run) {
  const events: ReportEvent[] = [];
  const result = await buildHyperkube(
    on,
    { version, arch: "amd64", tag: built, ...request },
    {
      env: { XDG_CACHE_HOME: join(folder, "cache"), ...env },
      report: (event) => events.push(event),
      signal: new AbortController().signal,
    },
  );
  const told = events.flatMap((event) => (event.kind === "warning" || event.kind === "notice" ? [event.message] : []));
  return { ...result, events, told };
}

async function fails(request: Run): Promise<string> {
  const error: unknown = await build(request).catch((thrown: unknown) => thrown);
  if (!(error instanceof TsdeployError)) throw new Error("it was built", { cause: error });
  return error.message;
}

/** A container of the image, by its own default command or another one. */
async function output(image: string, ...command: string[]): Promise<string> {
  return docker("run", "--rm", image, ...command);
}

describe("an image built of release files", () => {
  it("has all that a node needs, under the old names and the new", async () => {
    const { events, told, ...result } = await build({ base: bare, mirror: mirror.url });
    first = result;
    expect(result.reference).toBe(built);
    const { etcd, coredns } = featuresOf(version).components;
    const image = await engine.inspectImage(built);
    expect(image).toMatchObject({ id: result.id, architecture: "amd64", command: ["/pause"] });
    expect(image?.labels).toMatchObject({
      "io.tsdeploy.image.pause": "/pause",
      "io.tsdeploy.image.cni": "/usr/local/lib/cni",
      "io.tsdeploy.image.etcd": etcd,
      "io.tsdeploy.image.coredns": coredns,
      "io.tsdeploy.image.base": bare,
      "org.opencontainers.image.version": version,
    });
    expect(image?.layers.at(-1)).toBe(result.layer);
    // As the program says, which is in truth another one.
    expect(result.contents).toMatchObject({ kubernetes: version, etcd: "3.4.23" });
    expect(told).toEqual([
      expect.stringContaining("tsdeploy-test"),
      expect.stringMatching(/^kube-apiserver, .*: not in .*:bare, so downloaded$/),
      expect.stringContaining("plain http"),
      // Its checksum is that of the real one, which this mirror cannot have.
      expect.stringMatching(/^flannel is left out of the image \(.*flanneld-.*404.*\): nodes pull docker\.io/),
    ]);
    const done = events.flatMap((event) => (event.kind === "download-progress" && event.done ? [event.file] : []));
    expect(done.sort()).toEqual([...kubernetesPrograms, "cni-plugins", "coredns", "etcd"].sort());

    const script =
      "kubelet --version; /hyperkube apiserver --version; /hyperkube kube-proxy --version; " +
      "etcd --version | head -n 1; ls /usr/local/lib/cni; stat -c '%a %U %Y' /usr/local /usr/local/bin/kubelet";
    expect((await output(built, "sh", "-c", script)).split("\n")).toEqual([
      ...Array.from({ length: 3 }, () => `Kubernetes ${version}`),
      "etcd Version: 3.4.23",
      ...(await docker("run", "--rm", base, "ls", "/usr/lib/cni")).split("\n"),
      "755 root 0",
      "755 root 0",
    ]);
  });

  it("has a pause that holds a pod, and ends when it is told to", async () => {
    const container = await docker("run", "-d", built);
    const began = performance.now();
    await docker("stop", "--time", "20", container);
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(await docker("inspect", "-f", "{{.State.ExitCode}}", container)).toBe("0");
    await docker("rm", container);
  });

  it("is the same when it is built again, of what is in the cache", async () => {
    mirror.requests.length = 0;
    const { layer, id: image } = await build({ base: bare, mirror: mirror.url, tag: `tsdeploy-test-${id}:again` });
    expect(layer).toBe(first.layer);
    expect(image).toBe(first.id);
    expect(mirror.requests.filter((request) => !request.includes("/flanneld-"))).toEqual([]);
  });
});

describe("an image built of a folder and a base that have all", () => {
  it("needs no network", async () => {
    const nowhere = "http://127.0.0.1:1";
    const env = { XDG_CACHE_HOME: join(folder, "empty"), HTTP_PROXY: nowhere, HTTPS_PROXY: nowhere };
    const { contents, told } = await build({ base, binaries: programs, env });
    expect(contents).toMatchObject({ kubernetes: version, etcd: "3.4.23", base });
    expect(told.filter((message) => message.includes("so downloaded"))).toEqual([]);
    await expect(stat(env.XDG_CACHE_HOME)).rejects.toThrow("ENOENT");
    expect((await engine.inspectImage(built))?.labels).toMatchObject({
      "io.tsdeploy.image.cni": "/usr/lib/cni",
      "io.tsdeploy.image.etcd": "3.4.23",
    });
    // The image that had the name is not left without one.
    expect(await engine.inspectImage(first.id)).toMatchObject({ tags: [`tsdeploy-test-${id}:again`] });
  });

  it("takes flannel and CoreDNS from the folder, and says so", async () => {
    const own = join(folder, "own");
    await mkdir(own);
    for (const program of kubernetesPrograms) await symlink(join(programs, program), join(own, program));
    for (const name of ["flanneld", "coredns"]) await symlink(join(programs, "kube-proxy"), join(own, name));
    const { told } = await build({ base, binaries: own });
    expect(told.filter((message) => message.includes("left out"))).toEqual([]);
    expect(Object.keys((await engine.inspectImage(built))?.labels ?? {})).toEqual(
      expect.arrayContaining(["io.tsdeploy.image.flannel", "io.tsdeploy.image.coredns"]),
    );
    expect(await output(built, "sh", "-c", "command -v flanneld && command -v coredns")).toBe(
      "/usr/local/bin/flanneld\n/usr/local/bin/coredns",
    );
  });

  it("of another version is not begun", async () => {
    expect(await fails({ version: "v1.20.3", base: "never-looked-at", binaries: programs })).toMatch(
      /^BINARY_VERSION: kube-apiserver, .*, kubelet in \S+: v1\.20\.2, not v1\.20\.3$/,
    );
  });

  it("whose programs do not run takes nobody's place", async () => {
    const broken = join(folder, "broken");
    await mkdir(broken);
    for (const program of kubernetesPrograms) {
      await writeFile(join(broken, program), fakeBinary({ strings: [version] }));
    }
    const before = await engine.inspectImage(built);
    expect(await fails({ base, binaries: broken })).toMatch(/^IMAGE_BROKEN: .*kubelet ends with status \d+/);
    expect((await engine.inspectImage(built))?.id).toBe(before?.id);
    expect(await docker("images", "-q", "tsdeploy/hyperkube:building-*")).toBe("");
  });
});

describe("a base", () => {
  const context = () => ({ env: {}, report: () => undefined, signal: new AbortController().signal });
  const request = (asked: string) => ({
    asked,
    reference: asked,
    features: featuresOf(version),
    architecture: "amd64" as const,
    isForeign: false,
  });

  it("that lacks a tool gets it by apt-get, once", async () => {
    const tag = `tsdeploy-test-${id}:apt`;
    await derive(base, tag, `mv /usr/bin/socat /usr/bin/cp-of-socat
      printf '#!/bin/sh\\ncase "$*" in *"install "*socat*) mv /usr/bin/cp-of-socat /usr/bin/socat ;; esac' >/usr/bin/apt-get`);
    const prepared = await prepareBase(engine, request(tag), context());
    expect(prepared.probe?.programs.get("socat")).toBe("/usr/bin/socat");
    const { id: again } = await prepareBase(engine, request(tag), context());
    expect(again).toBe(prepared.id);
    const tags = (await engine.inspectImage(prepared.id))?.tags ?? [];
    expect(tags).toEqual([expect.stringMatching(/^tsdeploy\/base:[0-9a-f]{16}-amd64$/)]);
    await docker("rmi", ...tags);
  });

  it("whose packages cannot be installed is refused with what was said", async () => {
    const tag = `tsdeploy-test-${id}:broken-apt`;
    await derive(base, tag, `rm /usr/bin/socat
      printf '#!/bin/sh\\necho "E: the server of the packages is on holiday" >&2\\nexit 100' >/usr/bin/apt-get`);
    const message = await fails({ base: tag, binaries: programs });
    expect(message).toMatch(/^BUILD_FAILED: .*socat/);
    expect(message).toContain("on holiday");
  });

  it("that lacks tools and apt-get is refused by their names", async () => {
    const tag = `tsdeploy-test-${id}:no-apt`;
    await derive(base, tag, "rm /usr/bin/socat /usr/sbin/iptables /usr/bin/apt-get");
    const message = await fails({ base: tag, binaries: programs });
    expect(message).toMatch(/^BASE_UNFIT: .* has no socat, iptables, and no apt-get/);
  });

  it("that is for another architecture is refused", async () => {
    const tag = `tsdeploy-test-${id}:far`;
    await load(engine, tag);
    expect(await fails({ base: tag, binaries: programs })).toMatch(/^BASE_ARCHITECTURE: .* is for arm64, not amd64/);
  });
});

/** A tiny image for another architecture. */
async function load(on: ContainerEngine, tag: string): Promise<void> {
  const archive = async (files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> => {
    const out = pack();
    const bytes = buffer(out);
    for (const [name, content] of Object.entries(files)) out.entry({ name }, content);
    out.finalize();
    return bytes;
  };
  const layer = await archive({ hello: "hello" });
  const digest = createHash("sha256").update(layer).digest("hex");
  const rootfs = { type: "layers", diff_ids: [`sha256:${digest}`] };
  const image = await archive({
    "layer.tar": layer,
    "config.json": JSON.stringify({ architecture: "arm64", os: "linux", config: {}, rootfs }),
    "manifest.json": JSON.stringify([{ Config: "config.json", RepoTags: [tag], Layers: ["layer.tar"] }]),
  });
  await on.loadImages(Readable.from([image]));
}

describe("an image for another architecture", () => {
  it.each(["here", "on a newer Docker"])("is built %s, of a base for it", async (where) => {
    const on = where === "here" ? engine : await freshMachine(secondNumber);
    const [from, tag] = [`tsdeploy-test-${id}:arm64`, `tsdeploy-test-${id}:for-arm64`];
    await load(on, from);
    const binaries = join(folder, `arm64-${where}`);
    await mkdir(binaries);
    for (const program of kubernetesPrograms) {
      await writeFile(join(binaries, program), fakeBinary({ architecture: "arm64", strings: [version], bytes: 2e6 }));
    }
    for (const name of ["etcd", "bridge", "host-local", "loopback", "portmap"]) {
      await writeFile(join(binaries, name), fakeBinary({ architecture: "arm64", strings: ["3.5.24"] }));
    }
    const { id: image, layer, told } = await build({ on, arch: "arm64", base: from, tag, binaries });
    const details = await on.inspectImage(tag);
    expect(details).toMatchObject({ id: image, architecture: "arm64", command: ["/pause"] });
    expect(details?.labels["io.tsdeploy.image.etcd"]).toBe("3.5.24");
    expect(details?.layers).toHaveLength(2);
    expect(details?.layers[1]).toBe(layer);
    expect(told).toEqual([
      expect.stringContaining("cannot run its programs"),
      expect.stringMatching(/^flannel is left out/),
      expect.stringMatching(/^coredns is left out/),
    ]);
    if (on !== engine) {
      for (const name of [from, tag]) await on.removeImage(name);
      await on.close();
    }
  });
});
