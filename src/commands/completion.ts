import { commandTable, groupTable } from "../config/commandTable.js";
import { type CommandName, type OptionRow, optionsOf, optionTable } from "../config/optionTable.js";

/** A place in the command line where words can be completed. */
interface Level {
  /** `""`, `token`, `token create` */
  readonly path: string;
  /** What may come next: commands, or the values of an argument. */
  readonly words: readonly { readonly word: string; readonly summary: string }[];
  /** Whether a file may come next. */
  readonly takesFile: boolean;
  readonly options: readonly OptionRow[];
}

/** The completion script for `bash`, `zsh` or `fish`. */
export function completion(shell: string): string {
  const levels = makeLevels();
  if (shell === "zsh") return zshScript(levels);
  return shell === "fish" ? fishScript(levels) : bashScript(levels);
}

function makeLevels(): Level[] {
  const global = optionTable.filter(({ group }) => group === "Global");
  const shells = ["bash", "zsh", "fish"].map((word) => ({ word, summary: `script for ${word}` }));
  const components = ["kubelet", "etcd", "apiserver", "controller-manager", "scheduler", "proxy"];
  const commands = [
    ...commandTable,
    { name: "completion", summary: "print a completion script" },
    ...groupTable,
  ].map(({ name, summary }) => ({ name, summary }));
  const below = (group: string): Level["words"] =>
    commands
      .filter(({ name }) => (group === "" ? !name.includes(" ") : name.startsWith(`${group} `)))
      .map(({ name, summary }) => ({ word: name.slice(group === "" ? 0 : group.length + 1), summary }));
  return [
    { path: "", words: below(""), takesFile: false, options: global },
    ...groupTable.map(({ name }) => ({ path: name, words: below(name), takesFile: false, options: global })),
    ...commandTable.map(({ name }) => ({
      path: name,
      words: (name === "logs" ? components : choicesOf(name)).map((word) => ({ word, summary: "" })),
      takesFile: optionsOf(name).some((row) => row.flag === undefined && isFile(row)),
      options: optionsOf(name).filter(({ flag }) => flag !== undefined),
    })),
    { path: "completion", words: shells, takesFile: false, options: [] },
  ];
}

/** Of a positional argument. */
function choicesOf(name: CommandName): readonly string[] {
  return optionsOf(name).find(({ flag }) => flag === undefined)?.choices ?? [];
}

/** `/master`, `token/create`: the level so far and the word that leads to the next. */
function transitions(levels: readonly Level[]): string[] {
  return levels
    .filter(({ path }) => path !== "")
    .map(({ path }) => (path.includes(" ") ? path.replace(" ", "/") : `/${path}`));
}

function flagsOf({ flag = "", short, hasNegative }: OptionRow): string[] {
  const negative = hasNegative ? [flag.replace("--", "--no-")] : [];
  return [...(short === undefined ? [] : [short]), flag, ...negative];
}

function valueFlags(test: (row: OptionRow) => boolean): string {
  return optionTable
    .filter((row) => row.flag !== undefined && row.argument !== undefined && test(row))
    .flatMap(({ flag = "", short }) => (short === undefined ? [flag] : [short, flag]))
    .join("|");
}

const isFile = ({ type }: OptionRow): boolean => type === "path" || type === "optionalPath";
const isFolder = ({ type }: OptionRow): boolean => type === "patches" || type === "addons" || type === "folder";

function bashScript(levels: readonly Level[]): string {
  const choices = optionTable.filter((row) => row.flag !== undefined && row.choices !== undefined);
  const other = valueFlags((row) => !isFile(row) && !isFolder(row) && row.choices === undefined);
  return `# bash completion for tsdeploy
_tsdeploy() {
  local cur=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} level="" word words files=""
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$level/$word" in
      ${transitions(levels).join("|")}) level="\${level:+$level }$word" ;;
    esac
  done
  case "$previous" in
${choices
  .map(
    ({ flag = "", short, choices: values = [] }) =>
      `    ${short === undefined ? flag : `${short}|${flag}`}) ` +
      `mapfile -t COMPREPLY < <(compgen -W "${values.join(" ")}" -- "$cur"); return ;;`,
  )
  .join("\n")}
    ${valueFlags(isFile)}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    ${valueFlags(isFolder)}) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    ${other}) return ;;
  esac
  case "$level" in
${levels
  .map(({ path, words, takesFile, options }) => {
    const all = [...words.map(({ word }) => word), ...options.flatMap(flagsOf), "--help"];
    return `    "${path}") words="${all.join(" ")}"${takesFile ? " files=-f" : ""} ;;`;
  })
  .join("\n")}
  esac
  [[ -z $files || $cur == -* ]] || compopt -o filenames
  # shellcheck disable=SC2086
  mapfile -t COMPREPLY < <(compgen $files -W "$words" -- "$cur")
}
complete -F _tsdeploy tsdeploy
`;
}

function zshScript(levels: readonly Level[]): string {
  const describe = (text: string): string =>
    text.replace(/[[\]:\\]/g, (sign) => `\\${sign}`).replace(/'/g, "'\\''");
  const action = (row: OptionRow): string => {
    if (row.choices) return `(${row.choices.join(" ")})`;
    if (isFile(row)) return "_files";
    return isFolder(row) ? "_files -/" : " ";
  };
  const spec = (row: OptionRow): string[] =>
    flagsOf(row).map((flag) => {
      const value = row.argument !== undefined && !flag.startsWith("--no-") ? `:${row.argument}:${action(row)}` : "";
      return `'*${flag}[${describe(row.description)}]${value}'`;
    });
  return `#compdef tsdeploy
# zsh completion for tsdeploy
_tsdeploy() {
  local level="" word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    case "$level/$word" in
      ${transitions(levels).join("|")}) level="\${level:+$level }$word" ;;
    esac
  done
  case "$level" in
${levels
  .map(({ path, words, takesFile, options }) => {
    const next = words.length === 0 ? " " : `(${words.map(({ word }) => word).join(" ")})`;
    const specs = [...options.flatMap(spec), "'--help[show help]'", `'*: :${takesFile ? "_files" : next}'`];
    return `    "${path}")\n      _arguments \\\n        ${specs.join(" \\\n        ")} ;;`;
  })
  .join("\n")}
  esac
}
if [ "$funcstack[1]" = "_tsdeploy" ]; then _tsdeploy "$@"; else compdef _tsdeploy tsdeploy; fi
`;
}

function fishScript(levels: readonly Level[]): string {
  const quote = (text: string): string => `'${text.replace(/[\\']/g, (sign) => `\\${sign}`)}'`;
  const lines = levels.flatMap(({ path, words, takesFile, options }) => {
    const start = `complete -c tsdeploy -n ${quote(`__tsdeploy_at ${JSON.stringify(path)}`)}`;
    return [
      ...(takesFile ? [`${start} -F`] : []),
      ...words.map(({ word, summary }) => `${start} -a ${word} -d ${quote(summary)}`),
      ...options.flatMap((row) =>
        [row.flag ?? "", ...(row.hasNegative ? [(row.flag ?? "").replace("--", "--no-")] : [])].map((flag) => {
          const short = row.short === undefined ? "" : ` -s ${row.short.slice(1)}`;
          const isBare = row.argument === undefined || flag.startsWith("--no-");
          const values = row.choices ? ` -xa ${quote(row.choices.join(" "))}` : isFile(row) || isFolder(row) ? " -rF" : " -x";
          return `${start}${short} -l ${flag.slice(2)}${isBare ? "" : values} -d ${quote(row.description)}`;
        }),
      ),
    ];
  });
  return `# fish completion for tsdeploy
function __tsdeploy_at
  set -l level ""
  for word in (commandline -opc)[2..-1]
    switch "$level/$word"
      case ${transitions(levels).map(quote).join(" ")}
        set level (string trim -- "$level $word")
    end
  end
  test "$level" = "$argv[1]"
end
complete -c tsdeploy -f
${lines.join("\n")}
`;
}
