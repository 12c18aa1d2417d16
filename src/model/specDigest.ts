import { createHash } from "node:crypto";
import type { ContainerSpec } from "./containerSpec.js";
import { labels } from "./hostLayout.js";

/** JSON with sorted keys and without white space: the same value gives the same text. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

/** SHA-256 of the canonical JSON, its first 40 hex digits: what fits into a label's value. */
export function specDigest(value: unknown): string {
  return sha256(canonicalJson(value)).slice(0, 40);
}

/** 64 hex digits. */
export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** The spec with the label that shows whether a container was made from it. */
export function withSpecLabel(spec: ContainerSpec): ContainerSpec {
  return { ...spec, labels: { ...spec.labels, [labels.spec]: specDigest(spec) } };
}
