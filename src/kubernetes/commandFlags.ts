import type { FlagComponent } from "./flagTable.js";
import type { VersionFeatures } from "./versions.js";

/** Flag name without dashes -> value, in the order of the command line. */
export type Flags = Readonly<Record<string, string>>;

/** What a flag's place in the table depends on besides the version. */
export interface FlagContext {
  /** Whether `--insecure-api` is given. */
  readonly insecureApi?: boolean;
  /** For the table's placeholders. */
  readonly values?: Readonly<Record<string, string>>;
  /** A second process of a component says nothing by itself. */
  readonly isSecond?: boolean;
}

/**
 * Flags as this version has them: without those that it lacks, with its own values, and with those that the table says
 * by itself; then a person's own, which win.
 */
export function versionFlags(
  component: FlagComponent,
  flags: Flags,
  features: VersionFeatures,
  extraArgs: Flags = {},
  { insecureApi = false, values = {}, isSecond = false }: FlagContext = {},
): Flags {
  const merged: Record<string, string> = {};
  for (const [flag, value] of Object.entries(flags)) {
    const verdict = features.flag(component, flag, insecureApi);
    if (verdict?.kind !== "absent") merged[flag] = verdict?.value ?? value;
  }
  const said = isSecond ? {} : features.ownFlags(component, insecureApi);
  return withExtra(withValues({ ...merged, ...said }, values), extraArgs);
}

/** A person's flags win; of gates only those that he names. */
function withExtra(flags: Flags, extraArgs: Flags): Flags {
  const gates = "feature-gates";
  const both = [flags[gates], extraArgs[gates]].filter((list) => list !== undefined && list !== "");
  return { ...flags, ...extraArgs, ...(both.length > 1 && { [gates]: both.join(",") }) };
}

/** A text with its `{{placeholders}}` filled in. @throws Error for one that has no value */
export function fillText(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(/\{\{(\w+)\}\}/g, (_whole, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`there is no value for the placeholder ${name}`);
    return value;
  });
}

/** `--name=value` each. */
export function toArguments(flags: Flags): string[] {
  return Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
}

/** The reverse of `toArguments`. */
export function fromArguments(argv: readonly string[]): Flags {
  return Object.fromEntries(
    argv.map((argument) => {
      const match = /^--([^=]+)=(.*)$/s.exec(argument);
      if (match?.[1] === undefined || match[2] === undefined) throw new Error(`not of the form --flag=value: ${argument}`);
      return [match[1], match[2]];
    }),
  );
}

function withValues(flags: Flags, values: Readonly<Record<string, string>>): Flags {
  return Object.fromEntries(Object.entries(flags).map(([flag, value]) => [flag, fillText(value, values)]));
}
