import type { ReportEvent } from "./events.js";
import type { Renderer } from "./renderer.js";

/** For programs: each event is a JSON document on a line of its own. */
export class JsonLines implements Renderer {
  readonly #write: (text: string) => void;

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  event(event: ReportEvent): void {
    this.#write(`${JSON.stringify(event)}\n`);
  }

  pause(): void {
    // Nothing moves.
  }
}
