/** What a clean-up of a host looks for: arguments of `scripts/host/teardown.sh`. */
export interface CleanupScope {
  /** CNI's name of the pod network whose rules are ours; undefined: leave rules alone. */
  readonly network: string | undefined;
  /** Tables and chains, what kube-proxy makes besides, and routes, that were there before tsdeploy; they stay. */
  readonly before: readonly string[];
  /** Values to go back to. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Shell patterns of files and folders, which are removed with all that is in them. */
  readonly paths: readonly string[];
  /** The same for those by which the next teardown knows what is ours: removed only when nothing else is left. */
  readonly records: readonly string[];
  /** Files and folders that stay though a pattern matches them: they were there before tsdeploy. */
  readonly keeps: readonly string[];
  /** Folders that are removed if nothing is in them; those below others first. */
  readonly emptyFolders: readonly string[];
  readonly links: readonly string[];
  /** Networks whose routes by other nodes are ours. */
  readonly routes: readonly string[];
}
