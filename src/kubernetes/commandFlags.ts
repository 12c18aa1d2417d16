import type { FlagRow } from "./versionTable.js";
import type { VersionFeatures } from "./versions.js";

/** Flag name without dashes -> value, in the order of the command line. */
export type Flags = Readonly<Record<string, string>>;

/** Flags as this version has them, then a person's own, which win. */
export function versionFlags(
  component: FlagRow["component"],
  flags: Flags,
  features: VersionFeatures,
  extraArgs: Flags = {},
): Flags {
  const merged: Record<string, string> = {};
  for (const [flag, value] of Object.entries(flags)) {
    const verdict = features.flag(component, flag);
    if (verdict?.kind === "absent") continue;
    merged[flag] = verdict?.value ?? value;
  }
  return { ...merged, ...extraArgs };
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
