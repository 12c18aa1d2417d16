import { messageOf, TsdeployError } from "../model/errors.js";

/** What the disk of a folder refused, as a TsdeployError `environment`; any other error as it is. */
export function diskFault(folder: string, error: unknown): unknown {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return noSpace(`the disk of ${folder} is full`, error);
    case "EACCES":
    case "EEXIST":
    case "ENOTDIR":
    case "EPERM":
    case "EROFS":
      return new TsdeployError(
        "environment",
        {
          code: "CACHE_UNWRITABLE",
          message: `cannot write to ${folder}: ${messageOf(error)}`,
          hint: "Name a folder of yours by XDG_CACHE_HOME.",
        },
        { cause: error },
      );
    default:
      return error;
  }
}

export function noSpace(message: string, cause?: unknown): TsdeployError {
  const hint = "Make room there, or name a folder on another disk by XDG_CACHE_HOME.";
  return new TsdeployError("environment", { code: "NO_SPACE", message, hint }, { cause });
}
