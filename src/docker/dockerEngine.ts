import { Duplex, PassThrough, type Readable } from "node:stream";
import type Docker from "dockerode";
import type { ContainerSpec } from "../plan/containerSpec.js";
import { bindText } from "../plan/diff.js";
import {
  type AttachedContainer,
  type ContainerDetails,
  type ContainerEngine,
  type ContainerSummary,
  type EngineInfo,
  type EngineVersion,
  EngineError,
  type ExecResult,
  type ImageDetails,
  type PullProgress,
} from "./containerEngine.js";

export class DockerEngine implements ContainerEngine {
  readonly endpoint: string;
  readonly #docker: Docker;

  constructor(endpoint: string, docker: Docker) {
    this.endpoint = endpoint;
    this.#docker = docker;
  }

  async version(): Promise<EngineVersion> {
    const v = await this.#docker.version();
    return { version: v.Version, apiVersion: v.ApiVersion, minApiVersion: v.MinAPIVersion, os: v.Os, architecture: v.Arch };
  }

  async info(): Promise<EngineInfo> {
    const i = (await this.#docker.info()) as Record<string, unknown>;
    const s = (k: string): string => String(i[k] ?? "");
    return {
      id: s("ID"), hostname: s("Name"), operatingSystem: s("OperatingSystem"), osType: s("OSType"), machine: s("Architecture"),
      kernelVersion: s("KernelVersion"), dockerRootDir: s("DockerRootDir"), storageDriver: s("Driver"), loggingDriver: s("LoggingDriver"),
      cgroupDriver: s("CgroupDriver"), cgroupVersion: i["CgroupVersion"] === "2" ? "2" : "1",
      securityOptions: (i["SecurityOptions"] as string[] | null) ?? [], cpus: Number(i["NCPU"]), memoryBytes: Number(i["MemTotal"]),
      liveRestore: Boolean(i["LiveRestoreEnabled"]),
    };
  }

  async listContainers(labels: readonly string[] = []): Promise<ContainerSummary[]> {
    const list = await this.#docker.listContainers({ all: true, filters: { label: [...labels] } });
    return list.map((c) => ({
      id: c.Id, name: (c.Names[0] ?? "").slice(1), image: c.Image, imageId: c.ImageID, labels: c.Labels, state: c.State, status: c.Status, createdAt: c.Created,
    }));
  }

  async inspectContainer(id: string): Promise<ContainerDetails | undefined> {
    const c = await orUndefined(this.#docker.getContainer(id).inspect());
    if (!c) return undefined;
    return {
      id: c.Id, name: c.Name.slice(1), image: c.Config.Image, imageId: c.Image,
      command: [...((c.Config.Entrypoint as string[] | null) ?? []), ...((c.Config.Cmd as string[] | null) ?? [])],
      binds: c.HostConfig.Binds ?? [], labels: c.Config.Labels, running: c.State.Running, exitCode: c.State.ExitCode, pid: c.State.Pid,
      restartCount: c.RestartCount, startedAt: c.State.StartedAt, ipcMode: c.HostConfig.IpcMode ?? "",
    };
  }

  async createContainer(name: string, spec: ContainerSpec): Promise<string> {
    return (await this.#create(name, spec)).id;
  }

  async #create(name: string, spec: ContainerSpec): Promise<Docker.Container> {
    const [entry = "", ...rest] = spec.command;
    const attached = spec.component === "helper";
    return this.#docker.createContainer({
      name, Image: spec.image, Entrypoint: [entry], Cmd: rest, Labels: { ...spec.labels },
      Env: Object.entries(spec.env ?? {}).map(([k, v]) => `${k}=${v}`),
      ...(attached && { OpenStdin: true, StdinOnce: true, AttachStdin: true }),
      ...(spec.stopGraceSeconds !== undefined && { StopTimeout: spec.stopGraceSeconds }),
      HostConfig: {
        NetworkMode: "host", ...(spec.hostPid && { PidMode: "host" }), Privileged: spec.privileged,
        ...(spec.hostCgroupNamespace && { CgroupnsMode: "host" }),
        Binds: spec.binds.map(bindText), RestartPolicy: { Name: spec.restartPolicy === "no" ? "" : spec.restartPolicy }, AutoRemove: attached,
      },
    } as Docker.ContainerCreateOptions);
  }

  async startContainer(id: string): Promise<void> {
    await tolerate(this.#docker.getContainer(id).start(), [304]);
  }
  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    await tolerate(this.#docker.getContainer(id).stop({ t: graceSeconds }), [304, 404]);
  }
  async removeContainer(id: string): Promise<void> {
    await tolerate(this.#docker.getContainer(id).remove({ force: true, v: true }), [404, 409]);
  }
  async waitContainer(id: string): Promise<number> {
    return ((await this.#docker.getContainer(id).wait()) as { StatusCode: number }).StatusCode;
  }
  async containerLogs(id: string, { tail }: { tail: number }): Promise<string> {
    const b = (await this.#docker.getContainer(id).logs({ stdout: true, stderr: true, tail, follow: false })) as unknown as Buffer;
    const out: Buffer[] = [];
    for (let at = 0; at + 8 <= b.length; ) {
      const n = b.readUInt32BE(at + 4);
      out.push(b.subarray(at + 8, at + 8 + n));
      at += 8 + n;
    }
    return Buffer.concat(out).toString();
  }
  async followLogs(id: string, { tail, signal }: { tail: number; signal: AbortSignal }): Promise<Readable> {
    const c = this.#docker.getContainer(id);
    const s = await c.logs({ stdout: true, stderr: true, tail, follow: true });
    const out = new PassThrough();
    this.#docker.modem.demuxStream(s, out, out);
    s.on("end", () => out.end());
    signal.addEventListener("abort", () => { (s as unknown as Duplex).destroy(); out.end(); });
    return out;
  }
  async runAttached(name: string, spec: ContainerSpec): Promise<AttachedContainer> {
    const c = await this.#create(name, spec);
    try {
      const stdin = (await c.attach({ stream: true, stdin: true, hijack: true })) as unknown as Duplex;
      await c.start();
      return { id: c.id, stdin };
    } catch (error) {
      await c.remove({ force: true }).catch(() => undefined);
      throw wrap(error);
    }
  }
  async exec(id: string, argv: readonly string[], options: { stdin?: Buffer; signal?: AbortSignal } = {}): Promise<ExecResult> {
    const e = await this.#docker.getContainer(id).exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true, AttachStdin: options.stdin !== undefined });
    const s = await e.start({ hijack: true, stdin: options.stdin !== undefined });
    const out: Buffer[] = [], err: Buffer[] = [];
    const o = new PassThrough(), r = new PassThrough();
    o.on("data", (d: Buffer) => out.push(d));
    r.on("data", (d: Buffer) => err.push(d));
    this.#docker.modem.demuxStream(s, o, r);
    if (options.stdin) s.write(options.stdin);
    const abort = () => s.destroy();
    options.signal?.addEventListener("abort", abort);
    await new Promise<void>((resolve, reject) => {
      s.on("end", resolve); s.on("close", resolve); s.on("error", reject);
    });
    options.signal?.removeEventListener("abort", abort);
    if (options.signal?.aborted) throw new EngineError(0, "aborted");
    let i = await e.inspect();
    while (i.Running) { await new Promise((f) => setTimeout(f, 5)); i = await e.inspect(); }
    return { exitCode: i.ExitCode ?? -1, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() };
  }
  async execStream(id: string, argv: readonly string[]): Promise<Duplex> {
    const e = await this.#docker.getContainer(id).exec({ Cmd: [...argv], AttachStdout: true, AttachStderr: true, AttachStdin: true });
    const s = await e.start({ hijack: true, stdin: true });
    const o = new PassThrough();
    let stderr = "";
    const r = new PassThrough();
    r.on("data", (d: Buffer) => (stderr += d.toString()));
    this.#docker.modem.demuxStream(s, o, r);
    const duplex: Duplex = new Duplex({
      read() { o.resume(); },
      write(chunk, _e, done) { s.write(chunk as Buffer, done); },
      final(done) { s.end(); done(); },
      destroy(error, done) { s.destroy(); done(error); },
    });
    o.on("data", (d: Buffer) => { if (!duplex.push(d)) o.pause(); });
    s.on("end", () => { if (stderr) duplex.destroy(new Error(stderr.trim())); else duplex.push(null); });
    s.on("error", (x: Error) => duplex.destroy(x));
    return duplex;
  }
  async inspectImage(reference: string): Promise<ImageDetails | undefined> {
    const i = await orUndefined(this.#docker.getImage(reference).inspect());
    if (!i) return undefined;
    return { id: i.Id, tags: i.RepoTags, repoDigests: i.RepoDigests, architecture: i.Architecture, os: i.Os, labels: i.Config.Labels ?? {}, command: i.Config.Cmd ?? [], sizeBytes: i.Size };
  }
  async listImages(labels: readonly string[]): Promise<ImageDetails[]> {
    const l = await this.#docker.listImages({ filters: { label: [...labels] } });
    return (await Promise.all(l.map((x) => this.inspectImage(x.Id)))).filter((x) => x !== undefined);
  }
  async pullImage(reference: string, _o: { onProgress: (p: PullProgress) => void; signal: AbortSignal }): Promise<void> {
    const s = await this.#docker.pull(reference).catch((e: unknown) => { throw wrap(e); });
    await new Promise<void>((resolve, reject) => { this.#docker.modem.followProgress(s, (e: Error | null) => { if (e) reject(new EngineError(0, e.message)); else resolve(); }); });
  }
  close(): Promise<void> { return Promise.resolve(); }
}
function wrap(error: unknown): unknown {
  const e = error as { statusCode?: number; message: string };
  return e.statusCode === undefined ? error : new EngineError(e.statusCode, e.message);
}
async function tolerate(p: Promise<unknown>, codes: number[]): Promise<void> {
  await p.catch((error: unknown) => { const w = wrap(error); if (!(w instanceof EngineError && codes.includes(w.status))) throw w; });
}
async function orUndefined<T>(p: Promise<T>): Promise<T | undefined> {
  return p.catch((error: unknown) => { const w = wrap(error); if (w instanceof EngineError && w.status === 404) return undefined; throw w; });
}
