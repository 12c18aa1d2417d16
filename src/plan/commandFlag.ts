/** The value of `--flag=value` on a command line; undefined if it is not said. */
export function flagOf(command: readonly string[], flag: string): string | undefined {
  const start = `--${flag}=`;
  return command.find((word) => word.startsWith(start))?.slice(start.length);
}
