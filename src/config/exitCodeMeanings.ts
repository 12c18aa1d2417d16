import { type ErrorKind, exitCodes } from "../model/errors.js";

const meanings: Readonly<Record<ErrorKind, string>> = {
  usage: "options, configuration file or arguments are wrong; Docker was not contacted",
  environment: "the host, its Docker or the image cannot run this; nothing was changed",
  conflict: "something that is here already stands against it; nothing was changed",
  unreachable: "Docker, the registry or the master cannot be reached or refused the credentials",
  failed: "it was tried and did not work; what was done has been undone",
  aborted: "stopped by a signal; what was done has been undone",
};

/** Exit codes and what they mean, ascending; success and bugs included. */
export const exitCodeMeanings: readonly { readonly code: number; readonly meaning: string }[] = [
  { code: 0, meaning: "all is as requested, whether or not something had to be done" },
  { code: 1, meaning: "a bug: nobody foresaw this" },
  ...Object.entries(meanings).map(([kind, meaning]) => ({ code: exitCodes[kind as ErrorKind], meaning })),
];
