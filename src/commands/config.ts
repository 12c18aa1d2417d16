import { stringify } from "yaml";
import { hostSettings, sharedSettings } from "../config/printedHosts.js";
import { type ClusterHosts, evenMasters } from "../model/clusterHosts.js";
import type { ConfigOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";

/** `tsdeploy config validate -f FILE`: whoever gets here has a file without mistakes. */
export function configValidate({ hosts }: ConfigOptions, context: RunContext): Promise<CommandResult> {
  const warning = evenMasters(hosts);
  if (warning !== undefined) context.report({ kind: "warning", message: warning });
  const { masters, workers } = hosts;
  const names = masters.map(({ name }) => name);
  const count = workers.length === 1 ? "1 worker" : `${workers.length} workers`;
  return Promise.resolve({
    data: { masters: names, workers: workers.map(({ name }) => name) },
    text: `No mistakes: ${names.length === 1 ? "master" : "masters"} ${names.join(", ")}, ${count}`,
  });
}

/** `tsdeploy config print -f FILE`: what the file comes to, with all that it leaves to defaults. */
export function configPrint({ hosts }: ConfigOptions): Promise<CommandResult> {
  const data = printed(hosts);
  return Promise.resolve({ data, text: stringify(data) });
}

function printed({ masters, workers }: ClusterHosts): object {
  return { ...sharedSettings(masters[0]), hosts: [...masters, ...workers].map(hostSettings) };
}
