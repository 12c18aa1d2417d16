import type { IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";

/** As much of docker-modem as is needed here. */
interface Modem {
  dial(options: DialOptions, callback: (error: unknown, answer?: unknown) => void): void;
}

interface DialOptions {
  readonly isStream?: boolean;
}

/**
 * Has a modem read its answers as we do. Left alone it waits for ever if the connection breaks after an answer's
 * headers, as it does when dockerd ends while somebody waits for a container.
 */
export function dialWhole(modem: Modem): void {
  const dial = modem.dial.bind(modem);
  modem.dial = (options, callback) => {
    if (options.isStream) {
      dial(options, callback);
      return;
    }
    dial({ ...options, isStream: true }, (error, answer) => {
      if (error) {
        callback(error);
        return;
      }
      buffer(answer as IncomingMessage).then((body) => {
        callback(null, parsed(body));
      }, callback);
    });
  };
}

/** JSON if it is, else the bytes: a log. */
function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch {
    return body;
  }
}
