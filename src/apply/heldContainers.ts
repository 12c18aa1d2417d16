import type { ContainerEngine } from "../docker/containerEngine.js";

/**
 * Containers that a run stops and may start again.
 *
 * A dockerd that starts meanwhile would start those with the restart policy `always`, beside what has taken their
 * place. Until we start them they have `unless-stopped`, which is also what they keep if the run is killed.
 */
export class HeldContainers {
  readonly #engine: ContainerEngine;
  readonly #always = new Set<string>();

  constructor(engine: ContainerEngine) {
    this.#engine = engine;
  }

  async stop(id: string, graceSeconds: number): Promise<void> {
    if ((await this.#engine.inspectContainer(id))?.restartPolicy === "always") {
      this.#always.add(id);
      await this.#engine.setRestartPolicy(id, "unless-stopped");
    }
    await this.#engine.stopContainer(id, graceSeconds);
  }

  async start(id: string): Promise<void> {
    if (this.#always.has(id)) await this.#engine.setRestartPolicy(id, "always");
    await this.#engine.startContainer(id);
  }
}
