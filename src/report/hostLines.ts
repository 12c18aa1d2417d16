import { StringDecoder } from "node:string_decoder";

/** A longer line is written in parts, so that one that never ends takes no memory. */
const longestLine = 65_536;

/** Output of one host of many, line by line, each with the host's name before it. */
export class HostLines {
  readonly #host: string;
  readonly #write: (text: string) => Promise<void>;
  readonly #decoder = new StringDecoder("utf8");
  #rest = "";

  constructor(host: string, write: (text: string) => Promise<void>) {
    this.#host = host;
    this.#write = write;
  }

  async push(chunk: Buffer | string): Promise<void> {
    const text = this.#rest + (typeof chunk === "string" ? chunk : this.#decoder.write(chunk));
    const end = text.length - text.lastIndexOf("\n") > longestLine ? text.length : text.lastIndexOf("\n") + 1;
    this.#rest = text.slice(end);
    await this.#lines(text.slice(0, end));
  }

  /** What came without a newline at its end. */
  async end(): Promise<void> {
    const last = this.#rest + this.#decoder.end();
    this.#rest = "";
    await this.#lines(last);
  }

  async #lines(text: string): Promise<void> {
    if (text === "") return;
    const lines = text.replace(/\n$/, "").split("\n");
    await this.#write(lines.map((line) => `[${this.#host}] ${line}\n`).join(""));
  }
}
