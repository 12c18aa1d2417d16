import { componentNamed, componentsOf } from "../deploy/components.js";
import { contextOf, exitCodeOf, failureOf, type HostFailure, inPool, looksAtOnce } from "../deploy/manyHosts.js";
import { withEngine } from "../deploy/withEngine.js";
import type { ClusterHost } from "../model/clusterHosts.js";
import { TsdeployError } from "../model/errors.js";
import type { LogsOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import { HostLines } from "../report/hostLines.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";

/** Each log that is followed holds a connection, and an ssh where the host is reached so. */
const mostFollowed = 64;

interface HostLog {
  readonly host: string;
  readonly components?: readonly Record<"component" | "state" | "status", string>[];
  readonly container?: string;
  readonly log?: string;
  /** Of a host that has no such component, or none at all. */
  readonly error?: HostFailure;
}

/** `tsdeploy logs --file FILE`: each line with its host; hosts without that component are passed over. */
export async function clusterLogs(
  hosts: readonly ClusterHost[],
  options: LogsOptions,
  context: RunContext,
): Promise<CommandResult> {
  const { component, follow } = options;
  if (follow && hosts.length > mostFollowed) throw tooMany(hosts.length);
  const logs = await inPool(hosts, follow ? mostFollowed : looksAtOnce, (host) => logOf(host, options, context));
  const absent = logs.filter(({ error }) => error?.problems[0]?.code === "NO_SUCH_COMPONENT");
  // One that no host has is a mistake; a worker without an etcd is none.
  const isNowhere = component !== undefined && absent.length === logs.length;
  const failed = isNowhere ? absent.slice(0, 1) : logs.filter((log) => log.error && !absent.includes(log));
  for (const { host, error } of failed) {
    if (error) context.report({ kind: "problems", host, title: "has no log to show", problems: error.problems });
  }
  return {
    data: { hosts: logs },
    text: component === undefined ? listText(logs) : "",
    exitCode: exitCodeOf(failed.flatMap(({ error }) => error ?? []), context.signal),
  };
}

async function logOf(host: ClusterHost, options: LogsOptions, context: RunContext): Promise<HostLog> {
  const { component, tail, follow } = options;
  const { name } = host;
  const own = contextOf(host, context);
  try {
    return await withEngine(host.options, own, async (engine): Promise<HostLog> => {
      const containers = await engine.listContainers();
      if (component === undefined) {
        const all = [...componentsOf(containers)];
        return { host: name, components: all.map(([part, { state, status }]) => ({ component: part, state, status })) };
      }
      const container = componentNamed(component, containers, engine);
      const lines = new HostLines(name, context.write);
      if (follow) {
        const stream = await engine.followLogs(container.id, { tail, signal: context.signal });
        for await (const chunk of stream) await lines.push(String(chunk));
        await lines.end();
        return { host: name, container: container.name };
      }
      const log = await engine.containerLogs(container.id, { tail });
      if (options.output === "json") return { host: name, container: container.name, log };
      await lines.push(log);
      await lines.end();
      return { host: name, container: container.name };
    });
  } catch (error) {
    if (context.signal.aborted) throw error;
    return { host: name, error: failureOf(error, context.signal) };
  }
}

function listText(logs: readonly HostLog[]): string {
  const rows = logs.flatMap(({ host, components = [] }) =>
    components.map(({ component, status }) => [host, component, status]),
  );
  return rows.length === 0 ? "Nothing of tsdeploy runs on these hosts" : textTable([["HOST", "COMPONENT", "STATUS"], ...rows]);
}

function tooMany(count: number): TsdeployError {
  return new TsdeployError("usage", {
    code: "TOO_MANY_HOSTS",
    message: `--follow keeps a connection to each host: ${count} are more than ${mostFollowed}`,
    hint: "Name those that you want with --on.",
  });
}
