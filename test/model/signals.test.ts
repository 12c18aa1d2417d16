import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { withAnySignal } from "../../src/model/signals.js";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

describe("withAnySignal", () => {
  it("aborts after a timeout that nobody else holds, whatever the garbage collector takes meanwhile", async () => {
    const never = new AbortController().signal;
    const work = withAnySignal([never, AbortSignal.timeout(50)], async (signal) => {
      await delay(10);
      collectGarbage();
      if (!signal.aborted) await once(signal, "abort");
      throw signal.reason;
    });
    await expect(work).rejects.toMatchObject({ name: "TimeoutError" });
  });

  it("aborts at once for one that has aborted, and for the reason of the first", async () => {
    const first = AbortSignal.abort(new Error("first"));
    const aborted = withAnySignal([undefined, first, AbortSignal.abort(new Error("second"))], (signal) => {
      signal.throwIfAborted();
      return Promise.resolve();
    });
    await expect(aborted).rejects.toThrow("first");
  });

  it("lets go of the signals when the work has ended, well or not", async () => {
    const source = new AbortController();
    const given: AbortSignal[] = [];
    const keep = (signal: AbortSignal): Promise<void> => {
      given.push(signal);
      return given.length === 1 ? Promise.resolve() : Promise.reject(new Error("failed"));
    };
    await withAnySignal([source.signal], keep);
    await expect(withAnySignal([source.signal], keep)).rejects.toThrow("failed");
    source.abort();
    expect(given.map(({ aborted }) => aborted)).toEqual([false, false]);
  });

  it("may have many listeners, without a warning on the terminal", async () => {
    const warnings: Error[] = [];
    const note = (warning: Error): void => void warnings.push(warning);
    process.on("warning", note);
    await withAnySignal([new AbortController().signal], async (signal) => {
      for (let count = 0; count < 12; count++) signal.addEventListener("abort", () => undefined);
      // Node.js says it in its next turn.
      await delay(10);
    });
    process.off("warning", note);
    expect(warnings).toEqual([]);
  });
});
