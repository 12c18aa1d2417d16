import semver from "semver";
import type { VersionFeatures } from "../kubernetes/versions.js";
import { type Problem, TsdeployError } from "../model/errors.js";
import type { Architecture } from "../model/options.js";
import { hyperkubePath, hyperkubeScripts } from "./hyperkubeScripts.js";
import { imagePaths, type KubernetesProgram, kubernetesPrograms, type OptionalPart, type Part } from "./imageContents.js";
import { criDockerdArchives, flannelPrograms, hyperkubePrograms, serverArchives, wholeArchives } from "./pinnedChecksums.js";

export type HashAlgorithm = "sha512" | "sha256";

/** In lower-case hexadecimal. */
export interface Checksum {
  readonly algorithm: HashAlgorithm;
  readonly value: string;
}

/** Where a project publishes a checksum: the sum alone, or `sum  file` lines as coreutils write them. */
export interface ChecksumSource {
  readonly algorithm: HashAlgorithm;
  readonly url: string;
}

/** One file of a project's release. */
export interface Artifact {
  /** What a person knows it by: `kubelet`, `etcd`, … */
  readonly name: string;
  readonly url: string;
  /** A sum that this program knows, or where to ask, the strongest first. */
  readonly checksum: Checksum | readonly ChecksumSource[];
  readonly contents: ArtifactContents;
}

/** What of it is packed into the image. */
export type ArtifactContents =
  /** With scripts, path in the image -> text, that run parts of it. */
  | { readonly kind: "program"; readonly target: string; readonly scripts?: Readonly<Record<string, string>> }
  /** Some files of an archive, or of an archive inside it: path in the archive -> path in the image. */
  | { readonly kind: "archive"; readonly inner?: string; readonly members: Readonly<Record<string, string>> }
  /** Every program at the top of an archive. */
  | { readonly kind: "folder"; readonly target: string };

/** A project's files: `{version}`, `{arch}` and `{file}` are filled in. Ranges are of the project's own versions. */
interface ReleaseRow {
  readonly range: string;
  readonly url: string;
  /** The strongest first; appended to the URL, or a URL. */
  readonly checksums: readonly { readonly algorithm: HashAlgorithm; readonly at: string }[];
}

const github = "https://github.com";
const kubernetesReleases = "https://dl.k8s.io/release";
const besideIt = [
  { algorithm: "sha512", at: ".sha512" },
  { algorithm: "sha256", at: ".sha256" },
] as const;

const kubernetesRows: readonly ReleaseRow[] = [
  // Before, the single programs have nothing better than SHA-1 beside them: see pinnedChecksums.ts.
  { range: ">=1.12.0-0", url: `${kubernetesReleases}/v{version}/bin/linux/{arch}/{file}`, checksums: besideIt },
];

const etcdRows: readonly ReleaseRow[] = [
  {
    range: "*",
    url: `${github}/etcd-io/etcd/releases/download/v{version}/etcd-v{version}-linux-{arch}.tar.gz`,
    checksums: [
      { algorithm: "sha256", at: `${github}/etcd-io/etcd/releases/download/v{version}/SHA256SUMS` },
    ],
  },
];

const cniRows: readonly ReleaseRow[] = [
  {
    range: "<0.8.0-0",
    url: `${github}/containernetworking/plugins/releases/download/v{version}/cni-plugins-{arch}-v{version}.tgz`,
    checksums: besideIt,
  },
  {
    range: ">=0.8.0-0",
    url: `${github}/containernetworking/plugins/releases/download/v{version}/cni-plugins-linux-{arch}-v{version}.tgz`,
    checksums: besideIt,
  },
];

const corednsRows: readonly ReleaseRow[] = [
  {
    range: "*",
    url: `${github}/coredns/coredns/releases/download/v{version}/coredns_{version}_linux_{arch}.tgz`,
    checksums: [{ algorithm: "sha256", at: ".sha256" }],
  },
];

const flannelUrl = `${github}/flannel-io/flannel/releases/download/v{version}/flanneld-{arch}`;
const criDockerdUrl = `${github}/Mirantis/cri-dockerd/releases/download/v{version}/cri-dockerd-{version}.{arch}.tgz`;

/**
 * The files to download for these parts of a node's image.
 *
 * @throws TsdeployError `environment`, `CHECKSUM_UNKNOWN`, where no checksum can be trusted
 */
export function artifactsFor(
  features: VersionFeatures,
  architecture: Architecture,
  parts: ReadonlySet<Part>,
): readonly Artifact[] {
  const problems: Problem[] = [];
  const { etcd, cni, criDockerd, flannel, coredns } = features.components;
  const programs = kubernetesPrograms.filter((program) => parts.has(program));
  const artifacts = programs.length > 0 ? kubernetesArtifacts(features, architecture, programs, problems) : [];
  if (parts.has("etcd")) {
    const folder = `etcd-v${etcd}-linux-${architecture}`;
    const target = (program: string): Record<string, string> => ({ [`${folder}/${program}`]: inPrograms(program) });
    const contents = { kind: "archive", members: { ...target("etcd"), ...target("etcdctl") } } as const;
    artifacts.push({ name: "etcd", ...released(etcdRows, etcd, architecture), contents });
  }
  if (parts.has("cni-plugins")) {
    const contents = { kind: "folder", target: imagePaths.cni } as const;
    artifacts.push({ name: "cni-plugins", ...released(cniRows, cni, architecture), contents });
  }
  if (parts.has("cri-dockerd") && criDockerd !== undefined) {
    const value = criDockerdArchives[criDockerd]?.[architecture];
    const contents = { kind: "archive", members: { "cri-dockerd/cri-dockerd": inPrograms("cri-dockerd") } } as const;
    if (value === undefined) {
      problems.push(unknownChecksum("cri-dockerd", criDockerd, architecture, "cri-dockerd"));
    } else {
      const url = fill(criDockerdUrl, criDockerd, architecture);
      artifacts.push({ name: "cri-dockerd", url, checksum: pinned(value), contents });
    }
  }
  if (parts.has("flannel")) {
    const value = flannelPrograms[flannel]?.[architecture];
    const contents = { kind: "program", target: inPrograms("flanneld") } as const;
    if (value === undefined) problems.push(unknownChecksum("flannel", flannel, architecture, "flanneld"));
    else {
      const url = fill(flannelUrl, flannel, architecture);
      artifacts.push({ name: "flannel", url, checksum: pinned(value), contents });
    }
  }
  if (parts.has("coredns")) {
    const contents = { kind: "archive", members: { coredns: inPrograms("coredns") } } as const;
    artifacts.push({ name: "coredns", ...released(corednsRows, coredns, architecture), contents });
  }
  if (problems.length > 0) throw new TsdeployError("environment", problems);
  return artifacts;
}

/** Whether a download of it could be trusted. */
export function isDownloadable(part: OptionalPart, features: VersionFeatures, architecture: Architecture): boolean {
  return part !== "flannel" || flannelPrograms[features.components.flannel]?.[architecture] !== undefined;
}

function kubernetesArtifacts(
  features: VersionFeatures,
  architecture: Architecture,
  programs: readonly KubernetesProgram[],
  problems: Problem[],
): Artifact[] {
  const version = features.version.slice(1);
  if (rowOf(kubernetesRows, version)) {
    return programs.map((program) => ({
      name: program,
      ...released(kubernetesRows, version, architecture, program),
      contents: { kind: "program", target: inPrograms(program) },
    }));
  }
  const server = serverArchives[features.version]?.[architecture];
  const hyperkube = hyperkubePrograms[features.version]?.[architecture];
  const whole = wholeArchives[features.version];
  const archive = `kubernetes-server-linux-${architecture}.tar.gz`;
  const members = Object.fromEntries(
    programs.map((program) => [`kubernetes/server/bin/${program}`, inPrograms(program)] as const),
  );
  const folder = `${kubernetesReleases}/${features.version}`;
  const name = "kubernetes";
  if (server !== undefined) {
    const contents = { kind: "archive", members } as const;
    return [{ name, url: `${folder}/${archive}`, checksum: pinned(server), contents }];
  }
  if (hyperkube !== undefined) {
    const scripts = hyperkubeScripts(features, programs);
    const contents = { kind: "program", target: hyperkubePath, scripts } as const;
    const url = `${folder}/bin/linux/${architecture}/hyperkube`;
    return [{ name: "hyperkube", url, checksum: pinned(hyperkube), contents }];
  }
  if (whole !== undefined) {
    const contents = { kind: "archive", inner: `kubernetes/server/${archive}`, members } as const;
    return [{ name, url: `${folder}/kubernetes.tar.gz`, checksum: pinned(whole), contents }];
  }
  const image = features.published?.reference
    .replaceAll("{version}", features.version)
    .replaceAll("{arch}", architecture);
  problems.push(unknownChecksum("Kubernetes", features.version, architecture, programs.join(", "), image));
  return [];
}

function unknownChecksum(
  project: string,
  version: string,
  architecture: Architecture,
  programs: string,
  image?: string,
): Problem {
  const orImage = image === undefined ? "" : `, or start nodes from the published image by --image ${image}`;
  return {
    code: "CHECKSUM_UNKNOWN",
    message: `there is no checksum by which a download of ${project} ${version} for ${architecture} could be trusted`,
    hint: `Give a folder of your own that holds ${programs} by --binaries${orImage}.`,
  };
}

function pinned(value: string): Checksum {
  return { algorithm: value.length === 128 ? "sha512" : "sha256", value };
}

function inPrograms(program: string): string {
  return `${imagePaths.programs}/${program}`;
}

function released(
  rows: readonly ReleaseRow[],
  version: string,
  architecture: Architecture,
  file = "",
): Pick<Artifact, "url" | "checksum"> {
  const row = rowOf(rows, version);
  if (!row) throw new Error(`no row for the release ${version}`);
  const url = fill(row.url, version, architecture, file);
  const checksum = row.checksums.map(({ algorithm, at }) => ({
    algorithm,
    url: at.startsWith("https:") ? fill(at, version, architecture, file) : url + at,
  }));
  return { url, checksum };
}

function rowOf(rows: readonly ReleaseRow[], version: string): ReleaseRow | undefined {
  return rows.find(({ range }) => semver.satisfies(version, range, { includePrerelease: true }));
}

function fill(text: string, version: string, architecture: Architecture, file = ""): string {
  return text.replaceAll("{version}", version).replaceAll("{arch}", architecture).replaceAll("{file}", file);
}
