import { setTimeout as delay } from "node:timers/promises";
import { aborted } from "../model/errors.js";
import { withAnySignal } from "../model/signals.js";

/** What a probe saw: `done`, or a few words on how far it is. */
export type Sight =
  | { readonly done: true }
  | {
      readonly done: false;
      readonly seen: string;
      readonly trouble?: Trouble;
      /** Whoever knows has said that it is not there: he does answer, and it is not another one than is waited for. */
      readonly isMissing?: true;
    };

/** Why pods are not ready that are more than slow: a kubelet cannot pull their image, or they end. */
export type Trouble = "image" | "crash";

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly intervalMs?: number;
  /** Called when what is seen changes. */
  readonly onSeen?: (seen: string) => void;
}

/** Thrown at the deadline, with what was seen last; the caller adds what it knows (logs, next steps). */
export class DeadlineError extends Error {
  readonly seen: string;
  readonly trouble: Trouble | undefined;

  constructor(seen: string, trouble?: Trouble) {
    super(seen);
    this.name = "DeadlineError";
    this.seen = seen;
    this.trouble = trouble;
  }
}

const nothing = "nothing yet";

/** A host that is slow to answer is not asked again at once: it needs its time for what is waited for. */
const longestPauseMs = 500;

/**
 * Asks the probe until it is done.
 *
 * @throws DeadlineError after `timeoutMs`; `ABORTED` as soon as the signal aborts; whatever the probe throws.
 */
export async function waitFor(probe: (signal: AbortSignal) => Promise<Sight>, options: WaitOptions): Promise<void> {
  const deadline = AbortSignal.timeout(options.timeoutMs);
  await withAnySignal([deadline, options.signal], (either) =>
    askAgain(() => probe(either), { ...options, deadline, either }),
  );
}

async function askAgain(
  ask: () => Promise<Sight>,
  options: WaitOptions & { readonly deadline: AbortSignal; readonly either: AbortSignal },
): Promise<void> {
  const { deadline, either } = options;
  let seen = nothing;
  let trouble: Trouble | undefined;
  for (;;) {
    throwIfAborted(options.signal);
    const began = performance.now();
    try {
      const sight = await ask();
      if (sight.done) return;
      // A look that the deadline has cut short says nothing of what it looked at.
      if (deadline.aborted && seen !== nothing) throw new DeadlineError(seen, trouble);
      if (sight.seen !== seen) options.onSeen?.(sight.seen);
      ({ seen, trouble } = sight);
    } catch (error) {
      throwIfAborted(options.signal);
      if (!deadline.aborted || error instanceof DeadlineError) throw error;
    }
    if (deadline.aborted) throw new DeadlineError(seen, trouble);
    const pauseMs = Math.max(options.intervalMs ?? 100, Math.min(performance.now() - began, longestPauseMs));
    await delay(pauseMs, undefined, { signal: either }).catch(() => undefined);
  }
}

/** @throws TsdeployError of kind `aborted` if the person pressed Ctrl-C. */
export function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw aborted();
}
