import type { Readable } from "node:stream";
import { messageStream } from "./messageStream.js";

/**
 * Follows the body of `POST /images/load` to its end.
 *
 * @returns references, or ids where an image has no name
 * @throws EngineError as `messageStream` does
 */
export async function followLoad(body: Readable): Promise<string[]> {
  let said = "";
  for await (const { stream = "" } of messageStream(body)) said += stream;
  return [...said.matchAll(/^Loaded image(?: ID)?: (\S+)$/gm)].flatMap(([, reference]) => reference ?? []);
}
