import { TsdeployError } from "../model/errors.js";
import { throwIfAborted } from "./waitFor.js";

/** What is under way goes on unheard when the signal aborts. @throws TsdeployError of kind `aborted` */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // Nobody may hear how it ends.
  work.catch(() => undefined);
  throwIfAborted(signal);
  let stop = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      reject(new TsdeployError("aborted", { code: "ABORTED", message: "stopped by a signal" }));
    };
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
