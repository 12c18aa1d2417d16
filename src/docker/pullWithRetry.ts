import pRetry from "p-retry";
import { defined } from "../model/defined.js";
import type { PullProgress } from "../model/dockerObjects.js";
import { aborted, messageOf } from "../model/errors.js";
import { withAnySignal } from "../model/signals.js";
import { type ContainerEngine, EngineError } from "./containerEngine.js";
import { type PullFailure, pullFailure, pullTimeout } from "./pullFailure.js";

export interface PullOptions {
  readonly signal: AbortSignal;
  /** For all tries together. */
  readonly timeoutMs: number;
  /** `linux/arm64`; default: the daemon's own. */
  readonly platform?: string;
  readonly onProgress: (progress: PullProgress) => void;
  /** Called before each further try, with why. */
  readonly onRetry?: (message: string) => void;
}

const tries = 3;

/** Only for p-retry's eyes. */
class PullAttemptError extends Error {
  readonly failure: PullFailure;

  constructor(failure: PullFailure) {
    super(failure.error.message);
    this.failure = failure;
  }
}

/**
 * Pulls an image in up to three tries, 1 and 2 seconds apart; only what the network may have done is tried again.
 *
 * @throws TsdeployError by what went wrong (see `pullFailure`), `failed` with `PULL_TIMEOUT`, `aborted` with `ABORTED`,
 * or `unreachable` if Docker itself is
 */
export async function pullWithRetry(engine: ContainerEngine, reference: string, options: PullOptions): Promise<void> {
  const { timeoutMs, platform, onProgress, onRetry } = options;
  const deadline = AbortSignal.timeout(timeoutMs);
  const attempt = async (signal: AbortSignal): Promise<void> => {
    try {
      await engine.pullImage(reference, { onProgress, signal, ...defined({ platform }) });
    } catch (error) {
      throw error instanceof EngineError ? new PullAttemptError(pullFailure(reference, error)) : error;
    }
  };
  try {
    await withAnySignal([options.signal, deadline], (signal) =>
      pRetry(() => attempt(signal), {
        retries: tries - 1,
        minTimeout: 1_000,
        signal,
        shouldRetry: ({ error }) => error instanceof PullAttemptError && error.failure.retryable,
        onFailedAttempt: ({ error, attemptNumber }) => {
          if (error instanceof PullAttemptError && error.failure.retryable && attemptNumber < tries) {
            onRetry?.(`${messageOf(error)}; trying again (${attemptNumber + 1} of ${tries})`);
          }
        },
      }),
    );
  } catch (error) {
    if (options.signal.aborted) {
      throw aborted();
    }
    if (deadline.aborted) {
      throw pullTimeout(reference, timeoutMs);
    }
    throw error instanceof PullAttemptError ? error.failure.error : error;
  }
}
