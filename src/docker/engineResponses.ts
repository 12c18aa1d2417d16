import { defined } from "../model/defined.js";
import type {
  ContainerDetails,
  ContainerSummary,
  EngineInfo,
  EngineVersion,
  ImageDetails,
} from "../model/dockerObjects.js";
import * as z from "../model/zod.js";

/** The daemon's JSON in our own types. Go leaves empty lists and maps out, or says null. */
const strings = z
  .array(z.string())
  .nullish()
  .transform((list) => list ?? []);
const restartPolicy = z.object({ Name: z.enum(["", "no", "always", "unless-stopped", "on-failure"]) });
const labels = z
  .record(z.string(), z.string())
  .nullish()
  .transform((map) => map ?? {});

export const engineVersion = z
  .object({
    Version: z.string(),
    ApiVersion: z.string(),
    MinAPIVersion: z.string().default("1.12"),
    Os: z.string(),
    Arch: z.string(),
  })
  .transform(
    (version): EngineVersion => ({
      version: version.Version,
      apiVersion: version.ApiVersion,
      minApiVersion: version.MinAPIVersion,
      os: version.Os,
      architecture: version.Arch,
    }),
  );

export const engineInfo = z
  .object({
    ID: z.string().default(""),
    Name: z.string(),
    OperatingSystem: z.string().default(""),
    OSType: z.string(),
    Architecture: z.string(),
    KernelVersion: z.string().default(""),
    DockerRootDir: z.string(),
    Driver: z.string().default(""),
    LoggingDriver: z.string().default(""),
    CgroupDriver: z.string().default(""),
    CgroupVersion: z.enum(["1", "2"]).default("1"),
    SecurityOptions: strings,
    NCPU: z.number(),
    MemTotal: z.number(),
    FirewallBackend: z.object({ Driver: z.string().default("") }).nullish(),
    LiveRestoreEnabled: z.boolean().default(false),
    HttpProxy: z.string().default(""),
    HttpsProxy: z.string().default(""),
    NoProxy: z.string().default(""),
  })
  .transform(
    (info): EngineInfo => ({
      id: info.ID,
      hostname: info.Name,
      operatingSystem: info.OperatingSystem,
      osType: info.OSType,
      machine: info.Architecture,
      kernelVersion: info.KernelVersion,
      dockerRootDir: info.DockerRootDir,
      storageDriver: info.Driver,
      loggingDriver: info.LoggingDriver,
      cgroupDriver: info.CgroupDriver,
      cgroupVersion: info.CgroupVersion,
      securityOptions: info.SecurityOptions,
      cpus: info.NCPU,
      memoryBytes: info.MemTotal,
      firewallBackend: info.FirewallBackend?.Driver ?? "",
      liveRestore: info.LiveRestoreEnabled,
      httpProxy: info.HttpProxy,
      httpsProxy: info.HttpsProxy,
      noProxy: info.NoProxy,
    }),
  );

export const containerSummaries = z.array(
  z
    .object({
      Id: z.string(),
      Names: strings,
      Image: z.string(),
      ImageID: z.string(),
      Labels: labels,
      State: z.string(),
      Status: z.string(),
      Created: z.number(),
    })
    .transform(
      (container): ContainerSummary => ({
        id: container.Id,
        // A container that others link to has names of theirs too, `/other/alias`.
        name: (container.Names.find((name) => name.lastIndexOf("/") === 0) ?? "").slice(1),
        image: container.Image,
        imageId: container.ImageID,
        labels: container.Labels,
        state: container.State,
        status: container.Status,
        createdAt: container.Created,
      }),
    ),
);

export const containerDetails = z
  .object({
    Id: z.string(),
    Name: z.string(),
    Image: z.string(),
    Path: z.string(),
    Args: strings,
    Config: z.object({ Image: z.string(), Labels: labels }),
    HostConfig: z.object({
      Binds: strings,
      IpcMode: z.string().default(""),
      RestartPolicy: restartPolicy,
      Ulimits: z.array(z.object({ Name: z.string(), Soft: z.number() })).nullish(),
    }),
    RestartCount: z.number().default(0),
    State: z.object({
      Status: z.string(),
      Running: z.boolean(),
      ExitCode: z.number(),
      Pid: z.number(),
      StartedAt: z.string(),
    }),
  })
  .transform(
    (container): ContainerDetails => ({
      id: container.Id,
      name: container.Name.replace(/^\//, ""),
      image: container.Config.Image,
      imageId: container.Image,
      command: [container.Path, ...container.Args],
      binds: container.HostConfig.Binds,
      labels: container.Config.Labels,
      ...defined({ openFiles: container.HostConfig.Ulimits?.find(({ Name }) => Name === "nofile")?.Soft }),
      state: container.State.Status,
      running: container.State.Running,
      exitCode: container.State.ExitCode,
      pid: container.State.Pid,
      restartCount: container.RestartCount,
      startedAt: container.State.StartedAt,
      ipcMode: container.HostConfig.IpcMode,
      restartPolicy: container.HostConfig.RestartPolicy.Name || "no",
    }),
  );

/** Of a container that has run and does not any more; else undefined. */
export const endedContainer = z
  .object({
    State: z.object({ Running: z.boolean(), ExitCode: z.number(), StartedAt: z.string(), FinishedAt: z.string() }),
  })
  .transform(({ State: { Running, ExitCode, StartedAt, FinishedAt } }) => {
    const [startedMs, finishedMs] = [Date.parse(StartedAt), Date.parse(FinishedAt)];
    return Running || !(finishedMs >= startedMs) ? undefined : { exitCode: ExitCode, startedMs, finishedMs };
  });

/** One of `kill`. */
export const killEvent = z.object({ Actor: z.object({ Attributes: z.object({ signal: z.coerce.number() }) }) });

export const imageDetails = z
  .object({
    Id: z.string(),
    RepoTags: strings,
    RepoDigests: strings,
    Architecture: z.string().default(""),
    Os: z.string().default(""),
    Size: z.number().default(0),
    Created: z
      .string()
      .nullish()
      .transform((created) => created ?? ""),
    RootFS: z.object({ Layers: strings }).nullish(),
    Config: z.object({ Entrypoint: strings, Cmd: strings, Labels: labels }).nullish(),
  })
  .transform(
    (image): ImageDetails => ({
      id: image.Id,
      tags: image.RepoTags,
      repoDigests: image.RepoDigests,
      architecture: image.Architecture,
      os: image.Os,
      labels: image.Config?.Labels ?? {},
      command: [...(image.Config?.Entrypoint ?? []), ...(image.Config?.Cmd ?? [])],
      sizeBytes: image.Size,
      createdAt: image.Created,
      layers: image.RootFS?.Layers ?? [],
    }),
  );

export const imageSummaries = z.array(z.object({ Id: z.string() }));

export const execDetails = z.object({ Running: z.boolean(), ExitCode: z.number().nullish() });

export const waitResult = z.object({ StatusCode: z.number() });
