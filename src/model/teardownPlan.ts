/** A container that goes. */
export interface DoomedContainer {
  readonly id: string;
  readonly name: string;
}

/** One that is asked to end first. */
export interface StoppedContainer extends DoomedContainer {
  /** Seconds between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
}

/** Containers that are stopped at the same time; the next stage comes when they are. */
export interface StopStage {
  readonly phase: string;
  readonly containers: readonly StoppedContainer[];
}

/** What the clean-up on the host looks for: arguments of `scripts/host/teardown.sh`. */
export interface CleanupScope {
  /** CNI's name of the pod network whose rules are ours. */
  readonly network: string;
  /** Tables and chains that were there before tsdeploy; they stay. */
  readonly iptablesBefore: readonly string[];
  /** Values to go back to. */
  readonly sysctls: Readonly<Record<string, string>>;
  /** Shell patterns of files and folders, which go with all that is in them. */
  readonly paths: readonly string[];
  /** Folders that go if nothing is in them; those below others first. */
  readonly emptyFolders: readonly string[];
  readonly links: readonly string[];
}

/** What a teardown will do on one host. Pure data. */
export interface TeardownPlan {
  readonly role?: "master" | "worker";
  readonly clusterName?: string;
  /** A worker that runs, and is not forced: it drains, and deletes its own Node object, before anything stops. */
  readonly leavesCluster: boolean;
  readonly stops: readonly StopStage[];
  /** All containers that go, stopped or not, each with its anonymous volumes. */
  readonly removes: readonly DoomedContainer[];
  /** The kubelet's: the last to go, because it tells whose the pods are if a teardown breaks off. */
  readonly removesLast: readonly DoomedContainer[];
  /** Undefined if nothing here is ours. */
  readonly cleanup?: CleanupScope;
  /** One line for each thing on the host, besides containers, that goes or changes back. */
  readonly leftovers: readonly string[];
  /** What stays for a later `master`. */
  readonly keeps: readonly string[];
}
