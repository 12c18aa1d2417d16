import type { Readable } from "node:stream";
import * as z from "../model/zod.js";
import { EngineError } from "./containerEngine.js";

const messageSchema = z.object({
  id: z.string().optional(),
  status: z.string().optional(),
  progressDetail: z.object({ current: z.number().optional(), total: z.number().optional() }).nullish(),
  /** What a load or a build says; not always whole lines. */
  stream: z.string().optional(),
  error: z.string().optional(),
  /** What later versions of the API say instead. */
  errorDetail: z.object({ message: z.string().optional() }).nullish(),
});

/** One of Docker's messages about a pull, a load or a build. */
export type EngineMessage = z.infer<typeof messageSchema>;

/**
 * The messages of a body of JSON documents one a line, to its end.
 *
 * @throws EngineError with status 0 for an error inside the stream: the response's own status is 200 all the same
 */
export async function* messageStream(body: Readable): AsyncGenerator<EngineMessage> {
  for await (const line of lines(body)) {
    const message = messageSchema.parse(JSON.parse(line));
    const error = message.errorDetail?.message ?? message.error;
    if (error !== undefined) {
      throw new EngineError(0, error);
    }
    yield message;
  }
}

async function* lines(body: Readable): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of body.setEncoding("utf8")) {
    const parts = (rest + String(chunk)).split("\n");
    rest = parts.pop() ?? "";
    yield* parts.filter((part) => part.trim() !== "");
  }
  if (rest.trim() !== "") {
    yield rest;
  }
}
