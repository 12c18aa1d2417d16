import { setMaxListeners } from "node:events";

/** Its signal may have any number of listeners, one a request: of more than ten Node.js warns on the terminal. */
export function controllerForMany(): AbortController {
  const controller = new AbortController();
  setMaxListeners(0, controller.signal);
  return controller;
}

/**
 * Does the work with a signal that aborts as soon as one of these does, for the same reason.
 *
 * In place of `AbortSignal.any`, whose signal does not hold the ones that it follows: the garbage collector may take a
 * timeout that nobody else holds, and the signal then never aborts (nodejs/node#57736).
 */
export async function withAnySignal<T>(
  signals: readonly (AbortSignal | undefined)[],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const any = controllerForMany();
  const followed = signals
    .filter((signal) => signal !== undefined)
    .map((signal) => ({ signal, follow: () => { any.abort(signal.reason); } }));
  for (const { signal, follow } of followed) {
    if (signal.aborted) follow();
    else signal.addEventListener("abort", follow);
  }
  try {
    return await work(any.signal);
  } finally {
    for (const { signal, follow } of followed) signal.removeEventListener("abort", follow);
  }
}
