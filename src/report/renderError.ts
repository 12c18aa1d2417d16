import { messageOf, type Problem, TsdeployError } from "../model/errors.js";
import { sourceStack } from "./sourceStack.js";
import type { Style } from "./style.js";

const bugHint = "This is a bug in tsdeploy: please report it with the lines above.";

/** What to show a person of whatever was thrown, with a newline at the end. */
export function renderError(error: unknown, style: Style, options: { readonly verbose: boolean }): string {
  if (!(error instanceof TsdeployError)) {
    const stack = error instanceof Error ? sourceStack(error.stack ?? error.message) : messageOf(error);
    return `${style.red("error:")} ${stack}${causesOf(error, true)}\n${bugHint}\n`;
  }
  return renderProblems(error.problems, style) + (options.verbose ? style.dim(causesOf(error, false).slice(1)) : "");
}

/** Each problem on a line of its own, its hint below. */
export function renderProblems(problems: readonly Problem[], style: Style): string {
  return problems
    .map(({ code, message, hint }) => {
      const [first = "", ...more] = message.split("\n");
      const next = `  → ${hint.split("\n").join("\n    ")}`;
      return [`${style.red("error:")} ${code}: ${first}`, ...more.map((line) => `  ${line}`), next, ""].join("\n");
    })
    .join("");
}

/** The document that stands for an error in `--output json`. */
export function jsonError(error: unknown): unknown {
  if (error instanceof TsdeployError) {
    const { kind, exitCode, problems } = error;
    return { ok: false, error: { kind, exitCode, problems } };
  }
  const problem: Problem = { code: "INTERNAL", message: messageOf(error), hint: bugHint };
  return { ok: false, error: { kind: "internal", exitCode: 1, problems: [problem] } };
}

/** What lies behind an error, outermost first, each on a line of its own that begins with a newline. */
function causesOf(error: unknown, withStack: boolean): string {
  const lines: string[] = [];
  let cause = error instanceof Error ? error.cause : undefined;
  for (let depth = 0; cause !== undefined && depth < 8; depth++) {
    const text = withStack && cause instanceof Error ? sourceStack(cause.stack ?? cause.message) : messageOf(cause);
    lines.push(`\n  caused by: ${text}`);
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return lines.length === 0 || withStack ? lines.join("") : `${lines.join("")}\n`;
}
