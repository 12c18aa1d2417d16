import type { RunContext } from "./runContext.js";

/** The same context for one host of many: what is reported says which. */
export function onHost(host: string, context: RunContext): RunContext {
  return {
    ...context,
    report: (event) => {
      context.report({ ...event, host });
    },
  };
}
