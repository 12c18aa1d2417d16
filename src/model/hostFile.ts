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

/** Stands in a file for the node's pod CIDR, which is known only when the node has it. */
export const podCidrPlaceholder = "{{podCidr}}";

/** The file of the action `write-pod-network` for a pod CIDR. */
export function filledNetwork(file: HostFile, podCidr: string): HostFile {
  return { ...file, content: file.content.replaceAll(podCidrPlaceholder, podCidr) };
}
