import type { Check, ImageFacts } from "./check.js";

/** What the image itself says, before anything of it is run: with another architecture nothing would. */
export const imageChecks: readonly Check<ImageFacts>[] = [
  {
    name: "image-architecture",
    check({ engine, image }) {
      const { architecture, os } = engine.version;
      if (image.architecture === architecture && image.os === os) {
        return undefined;
      }
      return {
        kind: "environment",
        code: "IMAGE_ARCHITECTURE",
        message:
          `The image ${image.tags[0] ?? image.id} is for ${image.os}/${image.architecture}, ` +
          `but the host is ${os}/${architecture}`,
        hint: "Name an image for the host's architecture with --image, or pull it again on this host.",
      };
    },
  },
];
