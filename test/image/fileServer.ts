import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";

/** An answer to one request, in place of the file. */
export type Answer = (request: IncomingMessage, response: ServerResponse, content: Buffer) => void;

export interface FileServer {
  readonly url: string;
  /** Path -> content. */
  readonly files: Map<string, Buffer>;
  /** Path -> what GETs of it get first, one each, before the file itself. */
  readonly answers: Map<string, Answer[]>;
  /** `GET /path bytes=3-`, as they came. */
  readonly requests: string[];
  close(): Promise<void>;
}

/** Serves files over HTTP on loopback, with ranges and ETags, as a mirror does. */
export async function startFileServer(): Promise<FileServer> {
  const files = new Map<string, Buffer>();
  const answers = new Map<string, Answer[]>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    requests.push([method, url, headers.range].filter((part) => part !== undefined).join(" "));
    const content = files.get(url);
    const answer = method === "GET" ? answers.get(url)?.shift() : undefined;
    if (answer) answer(request, response, content ?? Buffer.alloc(0));
    else if (!content) response.writeHead(404).end("nothing here");
    else serve(request, response, content);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    files,
    answers,
    requests,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** The file, or the range of it that was asked for. */
export const serve: Answer = ({ method, headers }, response, content) => {
  const etag = `"${content.length}-${content.subarray(0, 20).toString("hex")}"`;
  const start = Number(/^bytes=(\d+)-$/.exec(headers.range ?? "")?.[1] ?? 0);
  const isSame = headers["if-range"] === undefined || headers["if-range"] === etag;
  const common = { etag, "content-type": "application/octet-stream" };
  if (start > 0 && isSame) {
    const range = `bytes ${start}-${content.length - 1}/${content.length}`;
    response.writeHead(206, { ...common, "content-range": range, "content-length": content.length - start });
  } else {
    response.writeHead(200, { ...common, "content-length": content.length });
  }
  response.end(method === "HEAD" ? undefined : content.subarray(isSame ? start : 0));
};

/** Says how long the file is, sends so much of what is asked for, and hangs up. */
export function cutAfter(bytes: number): Answer {
  return (request, response, content) => {
    response.end = ((body: Buffer) => {
      // Not destroyed: what was sent has to arrive.
      response.write(body.subarray(0, bytes), () => response.socket?.end());
      return response;
    }) as typeof response.end;
    serve(request, response, content);
  };
}

export function status(code: number): Answer {
  return (_request, response) => response.writeHead(code).end("no");
}
