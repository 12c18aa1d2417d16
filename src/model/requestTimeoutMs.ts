/**
 * How long one answer may take in waits that may take `timeoutMs` each: a request that gets lost must be made again in
 * time.
 */
export function requestTimeoutMs(timeoutMs: number): number {
  return Math.max(10_000, timeoutMs / 12);
}
