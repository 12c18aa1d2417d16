import { ApiError } from "../api/apiFault.js";

/** A namespace that is not there yet, a role that is not known yet, a server that is busy. */
export function isPassingRefusal(error: unknown): error is ApiError {
  if (!(error instanceof ApiError)) return false;
  return [403, 404, 409, 429].includes(error.status) || error.status >= 500;
}
