import pRetry from "p-retry";
import { WebFault } from "./webClient.js";

export interface RetryContext {
  readonly signal: AbortSignal;
  /** Called before a further try, with why. */
  readonly onRetry: (message: string) => void;
  /** Before the second try; later ones wait longer. */
  readonly retryDelayMs: number;
}

/** How often in a row a try may bring nothing new. */
const triesInVain = 4;

/** Tries again what may well work in a moment. `isNews` says whether the last try brought something all the same. */
export async function retryWeb<T>(
  attempt: () => Promise<T>,
  { signal, onRetry, retryDelayMs }: RetryContext,
  isNews: () => boolean = () => false,
): Promise<T> {
  const mayWork = (error: Error): error is WebFault => error instanceof WebFault && error.retryable && !signal.aborted;
  return pRetry(attempt, {
    retries: triesInVain - 1,
    minTimeout: retryDelayMs,
    maxTimeout: 10 * retryDelayMs,
    signal,
    shouldConsumeRetry: () => !isNews(),
    shouldRetry: ({ error }) => mayWork(error),
    onFailedAttempt: ({ error, retriesLeft }) => {
      if (mayWork(error) && (retriesLeft > 0 || isNews())) {
        onRetry(`${error.problems[0]?.message ?? ""}; trying again`);
      }
    },
  });
}
