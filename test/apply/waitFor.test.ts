import { describe, expect, it } from "vitest";
import { DeadlineError, waitFor } from "../../src/apply/waitFor.js";

const never = new AbortController().signal;

describe("waitFor", () => {
  it("asks until the probe is done and tells what changes", async () => {
    const seen: string[] = [];
    const sights = ["closed", "closed", "starting"];
    await waitFor(
      () => {
        const sight = sights.shift();
        return Promise.resolve(sight === undefined ? { done: true } : { done: false, seen: sight });
      },
      { timeoutMs: 5_000, signal: never, intervalMs: 1, onSeen: (text) => seen.push(text) },
    );
    expect(seen).toEqual(["closed", "starting"]);
  });

  it("ends at the deadline with what was seen last", async () => {
    const waiting = waitFor(() => Promise.resolve({ done: false, seen: "port closed" }), {
      timeoutMs: 20,
      signal: never,
      intervalMs: 1,
    });
    await expect(waiting).rejects.toThrow(DeadlineError);
    await expect(waiting).rejects.toThrow("port closed");
  });

  it("ends a probe that hangs", async () => {
    const hanging = waitFor(
      (signal) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener("abort", () => {
            reject(new Error("cut off"));
          });
        }),
      { timeoutMs: 20, signal: never },
    );
    await expect(hanging).rejects.toThrow(DeadlineError);
  });

  it("stops at once when the person does", async () => {
    const controller = new AbortController();
    const waiting = waitFor(
      () => {
        controller.abort();
        return Promise.resolve({ done: false, seen: "closed" });
      },
      { timeoutMs: 60_000, signal: controller.signal, intervalMs: 60_000 },
    );
    await expect(waiting).rejects.toMatchObject({ kind: "aborted" });
  });

  it("passes on what the probe throws", async () => {
    const waiting = waitFor(() => Promise.reject(new Error("certificate refused")), { timeoutMs: 60_000, signal: never });
    await expect(waiting).rejects.toThrow("certificate refused");
  });
});

it("at the deadline it says what was seen before, not that the last look was cut short", async () => {
  const looks: Promise<{ done: false; seen: string }>[] = [Promise.resolve({ done: false, seen: "node a has no pod CIDR" })];
  const probe = (signal: AbortSignal): Promise<{ done: false; seen: string }> =>
    looks.shift() ??
    new Promise((resolve) => {
      signal.addEventListener("abort", () => {
        resolve({ done: false, seen: "no answer in time" });
      });
    });
  const waiting = waitFor(probe, { timeoutMs: 50, intervalMs: 1, signal: new AbortController().signal });
  await expect(waiting).rejects.toMatchObject({ seen: "node a has no pod CIDR" });
});
