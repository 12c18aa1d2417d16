import type { Component } from "../model/containerSpec.js";
import type { ContainerSummary } from "../model/dockerObjects.js";
import { labels } from "../model/hostLayout.js";
import type { StepTools } from "./planRun.js";
import type { Sight } from "./waitFor.js";

/**
 * Starts programs anew whose one work at their start somebody has undone: a Node that was deleted, and flannel's
 * annotations with it. Nobody would make it again, and every run would wait in vain.
 */
export class StartAnew {
  readonly #components: readonly Component[];
  readonly #tools: StepTools;
  #missingSince: number | undefined;
  #isOver = false;

  /** @param components in the order in which they start */
  constructor(components: readonly Component[], tools: StepTools) {
    this.#components = components;
    this.#tools = tools;
  }

  /**
   * Once, when it has been missing for a twelfth of `--timeout`: a program that is about to make it takes seconds.
   *
   * @returns whether it was now
   */
  async afterSight(sight: Sight): Promise<boolean> {
    if (this.#isOver || sight.done || sight.isMissing !== true) return false;
    const { run } = this.#tools;
    const now = performance.now();
    this.#missingSince ??= now;
    if (now - this.#missingSince < run.context.timeoutMs / 12) return false;
    this.#isOver = true;
    const programs = this.#programs();
    if (programs.length === 0) return false;
    await this.#restart(programs, sight.seen);
    return true;
  }

  /** Those that run since before this run; none, if it has started one of them: that makes it. */
  #programs(): readonly ContainerSummary[] {
    const { run } = this.#tools;
    if (this.#components.some((component) => run.fresh.has(component))) return [];
    return this.#components.flatMap((component) =>
      run.context.containers.filter((one) => one.labels[labels.component] === component && one.state === "running"),
    );
  }

  async #restart(programs: readonly ContainerSummary[], seen: string): Promise<void> {
    const { run, leave } = this.#tools;
    const { engine, report } = run.context;
    const start = async (): Promise<void> => {
      for (const { id } of programs) await engine.startContainer(id);
    };
    leave({ resume: start });
    const names = programs.map(({ name }) => name).join(" and ");
    report({ kind: "notice", message: `${seen}, though ${names} ran before: starting anew` });
    for (const { id } of [...programs].reverse()) await engine.stopContainer(id, 10);
    for (const component of this.#components) run.fresh.add(component);
    await start();
    const kubelet = programs.find((one) => one.labels[labels.component] === "kubelet");
    if (kubelet) await run.noteKubelet(kubelet.id);
  }
}
