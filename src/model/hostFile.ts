import type { AddressRanges } from "./addressRanges.js";

/** A file that tsdeploy writes on a host. */
export interface HostFile {
  /** Absolute, on the host. */
  readonly path: string;
  /** Such as 0o600. */
  readonly mode: number;
  readonly content: string;
  /** Content is shown by nobody: not by `--dry-run`, not as a digest, not in a difference. */
  readonly secret: boolean;
  /** A manifest that a person may have edited: kept and shown unless `--overwrite`. */
  readonly editable?: boolean;
}

/** Stand in a file for the node's pod CIDRs, which are known only when the node has them. */
export const podCidrPlaceholders: AddressRanges = ["{{podCidr}}", "{{secondPodCidr}}"];

/** One placeholder for each of a cluster's ranges. */
export function placeholdersFor([, second]: AddressRanges): AddressRanges {
  const [first, other = ""] = podCidrPlaceholders;
  return second === undefined ? [first] : [first, other];
}

/** The file of the action `write-pod-network` for a node's pod CIDRs. */
export function filledNetwork(file: HostFile, podCidrs: AddressRanges): HostFile {
  const fill = (content: string, podCidr: string, index: number): string =>
    content.replaceAll(podCidrPlaceholders[index] ?? "", podCidr);
  return { ...file, content: podCidrs.reduce(fill, file.content) };
}
