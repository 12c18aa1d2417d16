import { eventually } from "./eventually.js";
import { run, runOk, type RunResult } from "./run.js";

/** Ways in which a Docker client reaches a machine. */
export type Via = "socket" | "tcp" | "ssh";

export type ImageStore = "docker" | "containerd";

const scripts = "scripts/dev/machines";

/** A test machine as `scripts/dev/machines` makes it. */
export class Machine {
  readonly number: number;
  /** The Debian whose Docker it has, if that one could be had. */
  readonly suite: string;
  /** Who keeps its images: Docker itself, or containerd, as it does by default in Docker 29. */
  readonly imageStore: ImageStore;

  constructor(number: number, suite: string, imageStore: ImageStore = "docker") {
    this.number = number;
    this.suite = suite;
    this.imageStore = imageStore;
  }

  get name(): string {
    return `machine-${this.number}`;
  }

  get address(): string {
    return `10.77.0.${10 + this.number}`;
  }

  /** What a shell has after `eval "$(scripts/dev/machines env N VIA)"`, as far as Docker clients look at it. */
  async environment(via: Via): Promise<NodeJS.ProcessEnv> {
    const script = `eval "$(${scripts} env ${this.number} ${via})" && env -0`;
    const lines = (await runOk("bash", ["-euc", script])).split("\0");
    return Object.fromEntries(
      lines
        .map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)] as const)
        .filter(([name]) => ["DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "PATH"].includes(name)),
    );
  }

  /** Runs a bash script on the machine. @returns its stdout */
  async sh(script: string): Promise<string> {
    return runOk(scripts, ["exec", String(this.number), "bash", "-euo", "pipefail", "-s"], { input: script });
  }

  /** The same for what may fail. */
  async trySh(script: string): Promise<RunResult> {
    return run(scripts, ["exec", String(this.number), "bash", "-uo", "pipefail", "-s"], { input: script });
  }

  /** The machine's own Docker. @returns its stdout */
  async docker(...args: string[]): Promise<string> {
    return runOk("docker", args, { env: { ...process.env, ...(await this.environment("socket")) } });
  }

  /** Ids of containers by name or label filter, running ones only. */
  async containers(...filters: string[]): Promise<string[]> {
    const args = filters.flatMap((filter) => ["--filter", filter]);
    return (await this.docker("ps", "-q", "--no-trunc", ...args)).split("\n").filter(Boolean).sort();
  }

  /** The id of our running container of this component. */
  async component(component: "etcd" | "kubelet" | "proxy"): Promise<string> {
    const ids = await this.containers(`label=io.tsdeploy.component=${component}`);
    if (ids.length !== 1) throw new Error(`${this.name} runs ${ids.length} ${component} containers`);
    return ids[0] ?? "";
  }

  async reboot(): Promise<void> {
    await runOk(scripts, ["reboot", String(this.number)]);
  }

  /** Its power is gone, without a warning. */
  async powerOff(): Promise<void> {
    await runOk(scripts, ["power-off", String(this.number)]);
  }

  /** After `powerOff`. Returns when its dockerd answers. */
  async powerOn(): Promise<void> {
    await runOk(scripts, ["up", "--only", String(this.number)]);
  }

  /** Pulls the network cable; its Docker still answers by the socket. */
  async unplug(): Promise<void> {
    await runOk(scripts, ["unplug", String(this.number)]);
  }

  async plug(): Promise<void> {
    await runOk(scripts, ["plug", String(this.number)]);
  }

  async restartDocker(): Promise<void> {
    await runOk(scripts, ["restart-docker", String(this.number)]);
  }

  /** Kills dockerd as the kernel would for want of memory; returns when another one answers. */
  async crashDocker(): Promise<void> {
    const pid = (await this.sh("cat /run/docker.pid && kill -9 $(cat /run/docker.pid)")).trim();
    await eventually(`${this.name} has a new dockerd`, () =>
      this.sh(`[[ $(cat /run/docker.pid) != ${pid} ]] && docker version`),
    );
  }
}

/** `TSDEPLOY_E2E_MACHINES=11,12,13,14`: their numbers, where another run has the usual ones. */
const [first = 1, second = 2, third = 3, fourth = 6] = (process.env["TSDEPLOY_E2E_MACHINES"] ?? "")
  .split(",")
  .filter(Boolean)
  .map(Number);

/** Docker of six years: 20.10, 26.1, and what is newest. */
export const machines = [
  new Machine(first, "bookworm"),
  new Machine(second, "trixie"),
  new Machine(third, "sid", "containerd"),
] as const;
export const [machine1, machine2, machine3] = machines;

/** For a chapter that needs one more, and makes it itself. */
export const machine4 = new Machine(fourth, "bookworm");
