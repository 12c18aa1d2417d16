import type { ContainerEngine } from "../docker/containerEngine.js";
import type { EngineFacts } from "../model/hostFacts.js";
import { labels } from "../model/hostLayout.js";
import { kubeletOf } from "../model/ownership.js";
import type { RunContext } from "../report/runContext.js";
import { chooseImage, type ImageChoice, type ImageWish } from "./chooseImage.js";

/** Where no image is requested, a node keeps the one that it runs from; else as `chooseImage` says. */
export async function chooseNodeImage(
  engine: ContainerEngine,
  facts: EngineFacts,
  wish: Omit<ImageWish, "architecture">,
): Promise<ImageChoice> {
  const running = kubeletOf(facts.containers);
  const isRequested = wish.requested.image !== undefined || wish.requested.registry !== undefined;
  if (!isRequested && running?.labels[labels.version] === wish.version) {
    const image = await engine.inspectImage(running.image);
    // The tag may have gone on to another image.
    if (image?.id === running.imageId) return { how: "present", reference: running.image };
  }
  return chooseImage(engine, { ...wish, architecture: facts.version.architecture });
}

/** For a dry run, which fetches nothing. */
export function reportMissingImage({ reference, how }: ImageChoice, { report }: RunContext): void {
  report({
    kind: "notice",
    message:
      `${reference} is not here and would be ${how === "build" ? "built" : "pulled"} first: ` +
      "what follows is the plan for a new host, as far as it can be told without the image",
  });
}
