import type { Duplex } from "node:stream";

/** A connection that is opened before anybody needs it, because something else takes as long. */
export class EarlyConnection {
  readonly #open: () => Promise<Duplex>;
  #first: Promise<Duplex> | undefined;

  constructor(open: () => Promise<Duplex>) {
    this.#open = open;
    this.#first = open();
    // Whoever takes it hears of what ends it; until then it is nobody's.
    this.#first.then(
      (stream) => stream.on("error", () => undefined),
      () => undefined,
    );
  }

  /** The one that was opened early; later on another each time. */
  readonly connect = async (): Promise<Duplex> => {
    const first = this.#first;
    this.#first = undefined;
    return first ?? this.#open();
  };

  /** Ends it, if nobody has taken it. */
  drop(): void {
    void this.#first?.then(
      (stream) => stream.destroy(),
      () => undefined,
    );
    this.#first = undefined;
  }
}
