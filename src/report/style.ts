/** Colours, or none of them. */
export interface Style {
  readonly isColoured: boolean;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  dim(text: string): string;
}

/**
 * Colours on a terminal, unless `NO_COLOR` says otherwise (https://no-color.org) or the terminal has none.
 */
export function styleFor(isTTY: boolean, env: NodeJS.ProcessEnv): Style {
  const isColoured = isTTY && (env["NO_COLOR"] ?? "") === "" && env["TERM"] !== "dumb";
  const paint = (open: number, close: number) => (text: string) =>
    isColoured ? `\u001B[${open}m${text}\u001B[${close}m` : text;
  return { isColoured, red: paint(31, 39), green: paint(32, 39), yellow: paint(33, 39), dim: paint(2, 22) };
}
