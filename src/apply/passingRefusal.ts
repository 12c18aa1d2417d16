import { ApiError } from "../api/apiFault.js";
import { TsdeployError } from "../model/errors.js";

/**
 * A namespace that is not there yet, a role that is not known yet, a server that is busy, or one that does not answer
 * because it starts again.
 */
export function isPassingRefusal(error: unknown): error is TsdeployError {
  if (!(error instanceof ApiError)) return error instanceof TsdeployError && error.kind === "unreachable";
  return [403, 404, 409, 429].includes(error.status) || error.status >= 500;
}
