import { componentsOf } from "../deploy/components.js";
import { withEngine } from "../deploy/withEngine.js";
import type { ContainerEngine } from "../docker/containerEngine.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import type { LogsOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";

/** Without a component: which ones there are. With one: its newest container's log, running or not. */
export async function logs(options: LogsOptions, context: RunContext): Promise<CommandResult> {
  return withEngine(options, context, async (engine) => {
    const containers = componentsOf(await engine.listContainers());
    const { component } = options;
    if (component === undefined) {
      const rows = [...containers].map(([name, { state, status }]) => ({ component: name, state, status }));
      const width = Math.max(0, ...rows.map((row) => row.component.length));
      return {
        data: { components: rows },
        text:
          rows.length === 0
            ? `Nothing of tsdeploy runs on ${engine.endpoint}`
            : rows.map((row) => `${row.component.padEnd(width)}  ${row.status}`).join("\n"),
      };
    }
    const container = containers.get(component);
    if (!container) {
      const known = [...containers.keys()].join(", ");
      throw new TsdeployError("usage", {
        code: "NO_SUCH_COMPONENT",
        message: `nothing called ${component} runs on ${engine.endpoint}`,
        hint: known === "" ? "Nothing of tsdeploy's is here." : `There are: ${known}.`,
      });
    }
    return showLog(engine, container, options, context);
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
    for await (const chunk of stream) context.write(String(chunk));
    return { data: {}, text: "" };
  }
  const log = await engine.containerLogs(container.id, { tail });
  return { data: { container: container.name, log }, text: log.trimEnd() };
}
