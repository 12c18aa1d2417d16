import type { ContainerEngine, PullProgress } from "./containerEngine.js";
export async function pullWithRetry(engine: ContainerEngine, reference: string, o: { signal: AbortSignal; timeoutMs: number; onProgress: (p: PullProgress) => void; onRetry: (m: string) => void }): Promise<void> {
  await engine.pullImage(reference, o);
}
