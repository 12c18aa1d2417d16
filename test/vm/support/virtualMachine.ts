import { Machine, type Via } from "../../e2e/support/machine.js";
import { run, runOk, type RunResult } from "../../e2e/support/run.js";

const program = "scripts/dev/vm";

/** What `scripts/dev/vm up` is told of a machine. */
export interface Kind {
  readonly suite: string;
  readonly arch: string;
  readonly cpus: string;
  readonly memory: string;
  /** Images that its Docker has from the start. */
  readonly images: readonly string[];
}

/** A virtual machine as `scripts/dev/vm` makes it: `vm-1` and so on, reached by SSH alone. */
export class VirtualMachine extends Machine {
  readonly #kind: Kind;
  #address = "";

  constructor(number: number, kind: Kind) {
    super(number, kind.suite);
    this.#kind = kind;
  }

  override get name(): string {
    return `vm-${this.number}`;
  }

  override get address(): string {
    return this.#address;
  }

  /** As after its first start: a machine of that kind that an earlier run has kept goes back to it in a second. */
  async up(): Promise<void> {
    const { suite, arch, cpus, memory, images } = this.#kind;
    const options = ["--suite", suite, "--arch", arch, "--cpus", cpus, "--memory", memory, "--images", images.join()];
    await runOk(program, ["up", this.name, "--fresh", ...options], { timeoutMs: 3_600_000 });
    const listed = (await runOk(program, ["list"])).split("\n").map((line) => line.split("\t"));
    this.#address = listed.find(([name]) => name === this.name)?.[2] ?? "";
  }

  async down(): Promise<void> {
    await runOk(program, ["down", this.name]);
  }

  /** By SSH, whatever is asked for: it has no other way. */
  override async environment(via: Via): Promise<NodeJS.ProcessEnv> {
    if (via === "tcp") throw new Error("a virtual machine's Docker does not listen on TCP");
    const line = await runOk("bash", ["-euc", `eval "$(${program} env ${this.name})" && echo "$DOCKER_HOST $PATH"`]);
    const [DOCKER_HOST, PATH] = line.trim().split(" ");
    return { DOCKER_HOST, PATH };
  }

  override async sh(script: string): Promise<string> {
    return runOk(program, ["ssh", this.name, "bash -euo pipefail -s"], { input: script });
  }

  override async trySh(script: string): Promise<RunResult> {
    return run(program, ["ssh", this.name, "bash -uo pipefail -s"], { input: script });
  }

  override async reboot(): Promise<void> {
    await runOk(program, ["reboot", this.name]);
  }

  /** Its reset button: nothing is shut down. */
  async cutPower(): Promise<void> {
    await runOk(program, ["reboot", "--hard", this.name]);
  }

  override async restartDocker(): Promise<void> {
    await this.sh("systemctl restart docker");
  }
}
