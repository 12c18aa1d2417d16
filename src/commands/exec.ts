import { chosenHosts } from "../deploy/chosenHosts.js";
import { componentNamed } from "../deploy/components.js";
import { contextOf, failureOf, type HostFailure, inPool, looksAtOnce } from "../deploy/manyHosts.js";
import { withEngine } from "../deploy/withEngine.js";
import type { ClusterHost } from "../model/clusterHosts.js";
import type { CommonOptions, ExecOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import { HostLines } from "../report/hostLines.js";
import type { RunContext } from "../report/runContext.js";

type Write = (chunk: Buffer) => Promise<void>;

interface Output {
  readonly stdout: Write;
  readonly stderr: Write;
}

/** `tsdeploy exec`: a program in a component's container; of one host its output as it is, of many line by line. */
export async function exec(options: ExecOptions, context: RunContext): Promise<CommandResult> {
  const isText = options.output === "text";
  const [one, ...others] = options.hosts ? chosenHosts(options.hosts, options.onHosts) : [];
  if (others.length > 0 && one) return execOnMany([one, ...others], options, context);
  const said = new Said();
  const output = isText ? { stdout: context.write, stderr: context.writeError } : said;
  const own = one ? contextOf(one, context) : context;
  const exitCode = await execOn(one?.options ?? options, options, output, own);
  return { data: { exitCode, ...(!isText && said.data()) }, text: "", exitCode };
}

async function execOnMany(
  hosts: readonly ClusterHost[],
  options: ExecOptions,
  context: RunContext,
): Promise<CommandResult> {
  const isText = options.output === "text";
  const results = await inPool(hosts, looksAtOnce, async (host) => {
    const { name } = host;
    const lines = [new HostLines(name, context.write), new HostLines(name, context.writeError)] as const;
    const [out, err] = lines;
    const said = new Said();
    const byLine = { stdout: (chunk: Buffer) => out.push(chunk), stderr: (chunk: Buffer) => err.push(chunk) };
    const output = isText ? byLine : said;
    try {
      const exitCode = await execOn(host.options, options, output, contextOf(host, context));
      for (const one of lines) await one.end();
      if (exitCode !== 0) context.report({ kind: "notice", host: name, message: `exit code ${exitCode}` });
      return { host: name, exitCode, ...(!isText && said.data()) };
    } catch (error) {
      if (context.signal.aborted) throw error;
      const failure: HostFailure = failureOf(error, context.signal);
      context.report({ kind: "problems", host: name, title: "cannot run it", problems: failure.problems });
      return { host: name, exitCode: failure.exitCode, error: failure };
    }
  });
  const all = Math.max(...results.map(({ exitCode }) => exitCode));
  return { data: { hosts: results }, text: "", exitCode: all };
}

async function execOn(
  docker: Pick<CommonOptions, "dockerHost" | "dockerContext">,
  { component, argv }: ExecOptions,
  output: Output,
  context: RunContext,
): Promise<number> {
  return withEngine(docker, context, async (engine) => {
    const { id } = componentNamed(component, await engine.listContainers(), engine);
    return engine.execFollowed(id, argv, {
      onOutput: async (chunk, stream) => output[stream](chunk),
      signal: context.signal,
    });
  });
}

/** What a program has said, for a JSON document. */
class Said implements Output {
  readonly #out: Buffer[] = [];
  readonly #err: Buffer[] = [];

  readonly stdout: Write = (chunk) => {
    this.#out.push(chunk);
    return Promise.resolve();
  };

  readonly stderr: Write = (chunk) => {
    this.#err.push(chunk);
    return Promise.resolve();
  };

  data(): { stdout: string; stderr: string } {
    return { stdout: Buffer.concat(this.#out).toString(), stderr: Buffer.concat(this.#err).toString() };
  }
}
