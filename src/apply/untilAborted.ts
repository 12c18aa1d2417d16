import { aborted } from "../model/errors.js";
import { throwIfAborted } from "./waitFor.js";

/** What is under way goes on unheard when the signal aborts. @throws TsdeployError of kind `aborted` */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  // Nobody may hear how it ends.
  work.catch(() => undefined);
  throwIfAborted(signal);
  let stop = (): void => undefined;
  const stopped = new Promise<never>((_, reject) => {
    stop = () => {
      reject(aborted());
    };
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, stopped]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
