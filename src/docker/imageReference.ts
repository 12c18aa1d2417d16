import { defined } from "../model/defined.js";
import { TsdeployError } from "../model/errors.js";

/** An image's name taken apart, as Docker's own normalisation has it. */
export interface ImageReference {
  /** `docker.io`, `registry.example.com:5000` */
  readonly registry: string;
  /** `library/busybox` */
  readonly repository: string;
  /** `latest` if neither tag nor digest is said. */
  readonly tag?: string;
  /** `sha256:…`; beats a tag. */
  readonly digest?: string;
}

// https://github.com/distribution/reference: path components, tag, digest.
const component = /[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*/;
const pattern = new RegExp(
  `^(?<path>${component.source}(?:/${component.source})*)` +
    "(?::(?<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?" +
    "(?:@(?<digest>[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$",
);
const registryPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?$/;

/** @throws TsdeployError `usage`, `IMAGE_REFERENCE_INVALID` */
export function parseImageReference(reference: string): ImageReference {
  const slash = reference.indexOf("/");
  const first = reference.slice(0, slash);
  // What Docker takes for a host: anything that a path's first component on Docker Hub would not look like.
  const hasRegistry = slash > 0 && (/[.:]/.test(first) || first === "localhost" || first !== first.toLowerCase());
  const registry = hasRegistry ? first : "docker.io";
  const groups = pattern.exec(hasRegistry ? reference.slice(slash + 1) : reference)?.groups;
  const path = groups?.["path"];
  if (path === undefined || !registryPattern.test(registry)) {
    throw new TsdeployError("usage", {
      code: "IMAGE_REFERENCE_INVALID",
      message: `${JSON.stringify(reference)} is no image reference`,
      hint: "Use [registry/]name[:tag] or [registry/]name@sha256:digest, in lower case.",
    });
  }
  const isHub = registry === "docker.io" || registry === "index.docker.io";
  const { tag, digest } = groups ?? {};
  return {
    registry: isHub ? "docker.io" : registry,
    repository: isHub && !path.includes("/") ? `library/${path}` : path,
    ...(tag === undefined ? (digest === undefined ? { tag: "latest" } : {}) : { tag }),
    ...defined({ digest }),
  };
}
