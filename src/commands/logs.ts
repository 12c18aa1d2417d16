import { chosenHosts } from "../deploy/chosenHosts.js";
import { componentNamed, componentsOf } from "../deploy/components.js";
import { withEngine } from "../deploy/withEngine.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import type { LogsOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { clusterLogs } from "./clusterLogs.js";

/** Without a component: which ones there are. With one: its newest container's log, running or not. */
export async function logs(options: LogsOptions, context: RunContext): Promise<CommandResult> {
  if (options.hosts) return clusterLogs(chosenHosts(options.hosts, options.onHosts), options, context);
  return withEngine(options, context, async (engine) => {
    const containers = await engine.listContainers();
    const { component } = options;
    if (component !== undefined) {
      return showLog(engine, componentNamed(component, containers, engine), options, context);
    }
    const rows = [...componentsOf(containers)].map(([name, { state, status }]) => ({ component: name, state, status }));
    const width = Math.max(0, ...rows.map((row) => row.component.length));
    return {
      data: { components: rows },
      text:
        rows.length === 0
          ? `Nothing of tsdeploy runs on ${engine.endpoint}`
          : rows.map((row) => `${row.component.padEnd(width)}  ${row.status}`).join("\n"),
    };
  });
}

async function showLog(
  engine: ContainerEngine,
  container: ContainerSummary,
  { tail, follow }: LogsOptions,
  context: RunContext,
): Promise<CommandResult> {
  if (follow) {
    const stream = await engine.followLogs(container.id, { tail, signal: context.signal });
    for await (const chunk of stream) await context.write(String(chunk));
    return { data: {}, text: "" };
  }
  const log = await engine.containerLogs(container.id, { tail });
  return { data: { container: container.name, log }, text: log.trimEnd() };
}
