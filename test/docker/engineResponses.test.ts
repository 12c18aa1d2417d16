import { describe, expect, it } from "vitest";
import { engineInfo, engineVersion, imageDetails, imageSummaries } from "../../src/docker/engineResponses.js";

const layer = `sha256:${"32d0da76".repeat(8)}`;
const index = `sha256:${"80f394e9".repeat(8)}`;

describe("an image as Docker shows it", () => {
  it("20.10, overlay2", () => {
    const answer = {
      Id: `sha256:${"27949a5d".repeat(8)}`,
      RepoTags: ["tsdeploy/workload:test"],
      RepoDigests: [],
      Created: "2026-11-21T11:51:51.186387177Z",
      ContainerConfig: { Cmd: null },
      DockerVersion: "20.10.24+dfsg1",
      Config: { Cmd: ["/bin/workload"], Entrypoint: null, Env: ["PATH=/bin"], Labels: null },
      Architecture: "amd64",
      Os: "linux",
      Size: 2675088,
      VirtualSize: 2675088,
      GraphDriver: { Data: { UpperDir: "/var/lib/docker/overlay2/0/diff" }, Name: "overlay2" },
      RootFS: { Type: "layers", Layers: [layer] },
    };
    expect(imageDetails.parse(answer)).toEqual({
      id: answer.Id,
      tags: ["tsdeploy/workload:test"],
      repoDigests: [],
      architecture: "amd64",
      os: "linux",
      labels: {},
      command: ["/bin/workload"],
      sizeBytes: 2675088,
      createdAt: "2026-11-21T11:51:51.186387177Z",
      layers: [layer],
    });
  });

  it("28.5, containerd image store: a digest of the index as id, a Descriptor, a size that is compressed", () => {
    const answer = {
      Id: index,
      RepoTags: ["example.com/multi:1"],
      RepoDigests: [`example.com/multi@${index}`],
      Parent: "",
      Created: "2026-11-21T12:18:06.692431186Z",
      Architecture: "arm64",
      Os: "linux",
      Size: 3164,
      GraphDriver: { Data: null, Name: "overlayfs" },
      RootFS: { Type: "layers", Layers: [layer] },
      Descriptor: { mediaType: "application/vnd.docker.distribution.manifest.list.v2+json", digest: index, size: 535 },
      Config: { Cmd: null, Entrypoint: ["/pause"], Labels: { arch: "arm64" } },
    };
    expect(imageDetails.parse(answer)).toMatchObject({
      id: index,
      architecture: "arm64",
      labels: { arch: "arm64" },
      command: ["/pause"],
      layers: [layer],
    });
  });

  it("29: without GraphDriver, and without what is empty", () => {
    const answer = {
      Id: index,
      RepoTags: null,
      Architecture: "amd64",
      Os: "linux",
      Size: 1,
      RootFS: {},
      Descriptor: { digest: index },
      Config: { Cmd: ["sh"] },
    };
    expect(imageDetails.parse(answer)).toMatchObject({ tags: [], repoDigests: [], labels: {}, createdAt: "", layers: [] });
  });

  it("in a list, with the manifests of its platforms", () => {
    const summary = { Id: index, RepoTags: [], Manifests: [{ ID: layer, Available: false, Kind: "image" }], Labels: null };
    expect(imageSummaries.parse([summary])).toEqual([{ Id: index }]);
  });
});

describe("a daemon as it says what it is", () => {
  it("28.5, containerd image store", () => {
    const info = engineInfo.parse({
      ID: "e00f898d-da77-4867-8d88-cd0801d388d9",
      Name: "machine",
      OSType: "linux",
      Architecture: "x86_64",
      Driver: "overlayfs",
      DriverStatus: [["driver-type", "io.containerd.snapshotter.v1"]],
      DockerRootDir: "/var/lib/docker",
      CgroupDriver: "systemd",
      CgroupVersion: "2",
      SecurityOptions: ["name=seccomp,profile=builtin", "name=cgroupns"],
      NCPU: 2,
      MemTotal: 25276502016,
      ServerVersion: "28.5.2+dfsg4",
      FirewallBackend: { Driver: "iptables+firewalld", Info: [["ReloadedAt", "2026-11-21T11:51:51Z"]] },
    });
    expect(info).toMatchObject({ storageDriver: "overlayfs", cgroupDriver: "systemd", cgroupVersion: "2" });
    expect(info.firewallBackend).toBe("iptables+firewalld");
  });

  it("29, which leaves out what it has no more", () => {
    const version = { Version: "29.0.0", ApiVersion: "1.52", MinAPIVersion: "1.44", Os: "linux", Arch: "arm64" };
    expect(engineVersion.parse(version)).toMatchObject({ minApiVersion: "1.44", architecture: "arm64" });
  });
});
