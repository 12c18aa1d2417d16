import { pipeline, type Readable, Transform } from "node:stream";
import { diskFull } from "../model/diskFull.js";
import type { ImageDetails } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";
import { type ContainerEngine, EngineError } from "./containerEngine.js";

/** Passes a stream on, reporting how much of it has gone by; the end of either by an error is the end of both. */
export function counted(source: Readable, onBytes: (bytesDone: number) => void): Readable {
  let bytesDone = 0;
  const counter = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytesDone += chunk.length;
      onBytes(bytesDone);
      done(null, chunk);
    },
  });
  // Whoever reads it gets the error.
  return pipeline(source, counter, () => undefined);
}

/** What a Docker failed with that was to give or to take images. */
export function transferFailure(
  error: unknown,
  side: "save" | "load",
  engine: Pick<ContainerEngine, "endpoint">,
): unknown {
  if (!(error instanceof EngineError)) return error;
  if (diskFull.test(error.message)) {
    return new TsdeployError(
      "environment",
      {
        code: "DOCKER_DISK_FULL",
        message: `${engine.endpoint} has no room for the images: ${error.message}`,
        hint: "Make room below Docker's root directory there: `docker system df`.",
      },
      { cause: error },
    );
  }
  if (side === "load" && /docker-import-\d+\/.*no such file/.test(error.message)) {
    return new TsdeployError(
      "usage",
      {
        code: "IMAGE_ARCHIVE_INVALID",
        message: `what ${engine.endpoint} was given is a tar archive, but not one of images: ${error.message}`,
        hint: "`tsdeploy image save` and `docker save` write such archives.",
      },
      { cause: error },
    );
  }
  const problem =
    side === "save"
      ? {
          code: "IMAGE_SAVE_FAILED",
          message: `the images could not be read from ${engine.endpoint}: ${error.message}`,
          hint: "Look at the log of that dockerd.",
        }
      : {
          code: "IMAGE_LOAD_FAILED",
          message: `${engine.endpoint} did not take the images: ${error.message}`,
          hint: "Look whether it is an archive of images that came whole; else at the log of that dockerd.",
        };
  return new TsdeployError("failed", problem, { cause: error });
}

/** Whether two Dockers have the same image. Their ids may differ: each kind of image store has its own. */
export function isSameImage(one: ImageDetails, other: ImageDetails): boolean {
  const identity = ({ layers, architecture, createdAt, labels, command }: ImageDetails): string =>
    JSON.stringify([layers, architecture, createdAt, Object.entries(labels).sort(), command]);
  return one.id === other.id || (one.layers.length > 0 && identity(one) === identity(other));
}

/**
 * Streams images from one Docker into another, without a disk in between.
 *
 * @throws TsdeployError `unreachable`, or `failed` with `IMAGE_SAVE_FAILED`, `IMAGE_LOAD_FAILED`, or `environment` with
 * `DOCKER_DISK_FULL`; each says which of the two it was
 */
export async function copyImages(
  references: readonly string[],
  from: ContainerEngine,
  to: ContainerEngine,
  options: { readonly onBytes: (bytesDone: number) => void; readonly signal: AbortSignal },
): Promise<void> {
  let broken: unknown;
  const archive = await from.saveImages(references, options.signal).catch((error: unknown) => {
    throw transferFailure(error, "save", from);
  });
  archive.once("error", (error) => (broken ??= error));
  try {
    await to.loadImages(counted(archive, options.onBytes), options.signal);
  } catch (error) {
    throw error === broken ? transferFailure(error, "save", from) : transferFailure(error, "load", to);
  }
}
