import { readFileSync } from "node:fs";
import { Argument, Command, CommanderError, Option } from "commander";
import { type CommandRow, commandTable, groupTable } from "./config/commandTable.js";
import { exitCodeMeanings } from "./config/exitCodeMeanings.js";
import type { CommandOptions, OptionSources } from "./config/loadOptions.js";
import { nearest } from "./config/nearest.js";
import {
  type CommandName,
  isPositional,
  isRepeatable,
  type OptionRow,
  optionsOf,
  optionTable,
} from "./config/optionTable.js";
import { exitCodes, type Problem, TsdeployError } from "./model/errors.js";
import { packageRoot } from "./model/packageRoot.js";
import type { CommandResult } from "./report/events.js";
import type { RunContext } from "./report/runContext.js";

export type Flags = OptionSources["flags"];

/** What happens when a command line has been taken apart. */
export interface ProgramActions {
  /** @param problems what is wrong with the command line itself */
  run(command: CommandName, flags: Flags, problems: readonly Problem[]): Promise<void>;
  /** Prints to stdout. */
  print(text: string): void;
}

type CommandFunction<Name extends CommandName> = (
  options: CommandOptions[Name],
  context: RunContext,
) => Promise<CommandResult>;

/** The commands' functions; each brings its own modules with it, and only when it runs. */
export const commandFunctions: { readonly [Name in CommandName]: () => Promise<CommandFunction<Name>> } = {
  master: async () => (await import("./commands/master.js")).master,
  worker: async () => (await import("./commands/worker.js")).worker,
  teardown: async () => (await import("./commands/teardown.js")).teardown,
  up: async () => (await import("./commands/up.js")).up,
  down: async () => (await import("./commands/down.js")).down,
  "upgrade plan": async () => (await import("./commands/upgrade.js")).upgradePlan,
  "upgrade apply": async () => (await import("./commands/upgrade.js")).upgradeApply,
  status: async () => (await import("./commands/status.js")).status,
  kubeconfig: async () => (await import("./commands/kubeconfig.js")).kubeconfig,
  "token create": async () => (await import("./commands/token.js")).tokenCreate,
  "token list": async () => (await import("./commands/token.js")).tokenList,
  "token revoke": async () => (await import("./commands/token.js")).tokenRevoke,
  "member list": async () => (await import("./commands/member.js")).memberList,
  "member remove": async () => (await import("./commands/member.js")).memberRemove,
  "addon list": async () => (await import("./commands/addon.js")).addonList,
  "addon enable": async () => (await import("./commands/addon.js")).addonEnable,
  "addon disable": async () => (await import("./commands/addon.js")).addonDisable,
  exec: async () => (await import("./commands/exec.js")).exec,
  logs: async () => (await import("./commands/logs.js")).logs,
  "config import": async () => (await import("./commands/configImport.js")).configImport,
  "config print": async () => (await import("./commands/config.js")).configPrint,
  "config validate": async () => (await import("./commands/config.js")).configValidate,
  "image build": async () => (await import("./commands/imageBuild.js")).imageBuild,
  "image list": async () => (await import("./commands/imageList.js")).imageList,
  "image save": async () => (await import("./commands/imageSave.js")).imageSave,
  "image load": async () => (await import("./commands/imageLoad.js")).imageLoad,
  "image copy": async () => (await import("./commands/imageCopy.js")).imageCopy,
  versions: async () => (await import("./commands/versions.js")).versions,
};

/** The commander tree. It throws CommanderErrors instead of ending the process, and prints none of them. */
export function createProgram(actions: ProgramActions): Command {
  const program = new Command("tsdeploy")
    .description("Kubernetes across any Docker hosts: one command each, nothing installed but Docker Engine.")
    .version(packageVersion(), "--version")
    .exitOverride()
    .configureOutput({
      // Errors are reported where all others are.
      outputError: () => undefined,
    })
    .configureHelp({ showGlobalOptions: true })
    .addHelpText("after", overviewHelp());
  for (const row of optionTable.filter(({ group }) => group === "Global")) addOption(program, row);

  for (const row of commandTable) {
    const [last = "", group] = row.name.split(" ").reverse();
    addCommand(group === undefined ? program : groupOf(program, group), last, row, actions);
  }
  addCompletion(program, actions);
  return program;
}

/** What ended the program: `said` if there is nothing more to say (help, version), else the error to report. */
export type Failure =
  | { readonly kind: "said"; readonly exitCode: number }
  | { readonly kind: "error"; readonly error: unknown };

/** Turns what commander throws into errors of our own. */
export function parseFailure(thrown: unknown): Failure {
  if (!(thrown instanceof CommanderError)) return { kind: "error", error: thrown };
  if (thrown.exitCode === 0) return { kind: "said", exitCode: 0 };
  // Without a command: its help is on stderr.
  if (thrown.code === "commander.help") return { kind: "said", exitCode: exitCodes.usage };
  const [said = "", suggestion] = thrown.message.replace(/^error: /, "").split("\n");
  const problem = {
    code: "COMMAND_LINE",
    // What follows a `=` may be a token.
    message: said.replace(/(--[\w-]+)=[^']*/, "$1"),
    hint: suggestion === undefined ? "Run `tsdeploy --help`." : suggestion.replace(/^\((.*)\)$/, "$1"),
  };
  return { kind: "error", error: new TsdeployError("usage", problem) };
}

/** The command that others are below; made when the first of them comes, so that help keeps the order. */
function groupOf(program: Command, name: string): Command {
  const known = program.commands.find((command) => command.name() === name);
  if (known) return known;
  const summary = groupTable.find((group) => group.name === name)?.summary ?? "";
  return program.command(name).summary(summary).description(summary);
}

function addCommand(parent: Command, name: string, row: CommandRow, actions: ProgramActions): void {
  const command = parent
    .command(name)
    .summary(row.summary)
    .description(row.description)
    // So that everything that is wrong can be reported at once.
    .allowUnknownOption()
    .allowExcessArguments()
    .addHelpText("after", examplesHelp(row));
  const rows = optionsOf(row.name);
  for (const option of rows.filter(({ group, flag }) => group !== "Global" && flag !== undefined)) {
    addOption(command, option);
  }
  const positional = rows.filter(isPositional);
  for (const { argument = "", optional, description } of positional) {
    command.argument(optional === true ? `[${argument}]` : `<${argument}>`, description);
  }
  if (rows.some(({ type }) => type === "words")) command.usage("[options] [host] -- <command> [arguments]");
  command.action(async () => {
    await actions.run(row.name, flagsOf(command, rows), commandLineProblems(command, rows));
  });
}

function addOption(command: Command, row: OptionRow): void {
  const { flag = "", short, argument } = row;
  const names = short === undefined ? flag : `${short}, ${flag}`;
  const option = new Option(argument === undefined ? names : `${names} <${argument}>`, helpOf(row));
  if (isRepeatable(row)) {
    option.argParser((value, before: readonly string[] | undefined) => [...(before ?? []), value]);
  }
  if (row.group !== "Global") option.helpGroup(`${row.group} options:`);
  command.addOption(option);
  if (row.hasNegative) command.addOption(new Option(flag.replace("--", "--no-")).hideHelp());
}

function helpOf(row: OptionRow): string {
  const choices = row.choices === undefined || row.description.includes("`") ? "" : `: ${row.choices.join(", ")}`;
  const ifNot = row.default ?? row.otherwise;
  return `${row.description}${choices}${ifNot === undefined ? "" : ` (default: ${ifNot})`}`;
}

/** What was typed, by the options' keys. */
function flagsOf(command: Command, rows: readonly OptionRow[]): Flags {
  const typed: Readonly<Record<string, Flags[string]>> = command.optsWithGlobals();
  const positional = rows.filter(isPositional);
  const hasWords = rows.some(({ type }) => type === "words");
  const words = hasWords ? wordsBehindDashes(command) : [];
  const before = command.args.slice(0, command.args.length - words.length);
  const given = rows.map((row) => {
    if (row.type === "words") return [row.key, words.length === 0 ? undefined : words];
    const { key, flag } = row;
    return [key, flag === undefined ? before[positional.indexOf(row)] : typed[new Option(flag).attributeName()]];
  });
  return Object.fromEntries(given) as Flags;
}

/** What is behind `--`. Commander keeps what it was given, but has no type for it. */
function wordsBehindDashes(command: Command): readonly string[] {
  let root: Command & { readonly rawArgs?: readonly string[] } = command;
  while (root.parent) root = root.parent;
  const all = root.rawArgs ?? [];
  const at = all.indexOf("--");
  return at < 0 ? [] : all.slice(at + 1);
}

/** Options that there are not, and words too many. Shows no values: one of them may be a token. */
function commandLineProblems(command: Command, rows: readonly OptionRow[]): Problem[] {
  const positionals = rows.filter(isPositional).length;
  const hasWords = rows.some(({ type }) => type === "words");
  const words = command.args.slice(0, command.args.length - (hasWords ? wordsBehindDashes(command).length : 0));
  const unknown = words.filter((word) => word.startsWith("-") && word !== "-");
  if (unknown.length === 0 && words.length > positionals) {
    const takes = positionals === 0 ? "no arguments" : `at most ${positionals}`;
    const message = `tsdeploy ${pathOf(command)} takes ${takes}, not ${words.length}`;
    const hint = hasWords ? "Write -- before the command that is to run." : helpHint(command);
    return [{ code: "ARGUMENT_UNEXPECTED", message, hint }];
  }
  return unknown.map((word) => {
    const flag = word.split("=")[0] ?? "";
    const known = [command, command.parent, command.parent?.parent].flatMap((level) => level?.options ?? []);
    const guess = nearest(flag, known.flatMap(({ long }) => long ?? []));
    return {
      code: "OPTION_UNKNOWN",
      message: `tsdeploy ${pathOf(command)} has no option ${flag}`,
      hint: guess === undefined ? helpHint(command) : `Did you mean ${guess}?`,
    };
  });
}

function helpHint(command: Command): string {
  return `Run \`tsdeploy ${pathOf(command)} --help\`.`;
}

/** `token create` */
function pathOf(command: Command): string {
  const parent = command.parent;
  return parent?.parent ? `${pathOf(parent)} ${command.name()}` : command.name();
}

function addCompletion(program: Command, actions: ProgramActions): void {
  program
    .command("completion")
    .summary("print a script that makes a shell complete commands and options")
    .description("Prints a script for your shell; put it where the shell finds it.")
    .addArgument(new Argument("<shell>", "which shell").choices(["bash", "zsh", "fish"]))
    .addHelpText(
      "after",
      examplesText([
        ["source <(tsdeploy completion bash)", "for this shell"],
        ["tsdeploy completion bash >/etc/bash_completion.d/tsdeploy", "for all"],
        ["tsdeploy completion fish >~/.config/fish/completions/tsdeploy.fish", "fish"],
      ]),
    )
    .action(async (shell: string) => {
      const { completion } = await import("./commands/completion.js");
      actions.print(completion(shell));
    });
}

function overviewHelp(): string {
  const codes = exitCodeMeanings.map(({ code, meaning }) => `  ${String(code).padStart(3)}  ${meaning}`);
  return [
    examplesText([
      ["tsdeploy master", "on the first machine"],
      ["tsdeploy worker --master 10.0.0.5", "on each of the others"],
      ["tsdeploy teardown", "on any of them, to take it away"],
    ]),
    "",
    "Each option is also a variable (--pod-cidr is TSDEPLOY_POD_CIDR) and, if it describes the cluster or a",
    "node, a key of the file named by --config (podCidr). A flag wins over a variable, that over the file.",
    "",
    "Exit codes:",
    ...codes,
  ].join("\n");
}

function examplesHelp({ examples }: CommandRow): string {
  return examplesText(examples);
}

function examplesText(examples: CommandRow["examples"]): string {
  const width = Math.min(60, Math.max(...examples.map(([line]) => line.length)));
  const lines = examples.map(([line, what]) => `  ${what === "" ? line : `${line.padEnd(width)}  # ${what}`}`);
  return ["", "Examples:", ...lines].join("\n");
}

function packageVersion(): string {
  const text = readFileSync(new URL("package.json", packageRoot), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}
