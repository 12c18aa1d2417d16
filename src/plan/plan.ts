import type { KubernetesObject } from "../kubernetes/kubernetesObject.js";
import type { ContainerSpec } from "./containerSpec.js";

/** A file that tsdeploy lays on a host. */
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

/** Something to wait for. Each has a deadline, and says what it saw last. */
export type Probe =
  /** The API server serves requests, though it may not have laid down all that it brings. */
  | { readonly kind: "api-serves" }
  /** `GET /healthz` of the API server says ok. */
  | { readonly kind: "api-answers" }
  /** The Node object is there. */
  | { readonly kind: "node-registered"; readonly node: string }
  /** The Node's Ready condition is True. A heartbeat from before the kubelet container's start does not count. */
  | { readonly kind: "node-ready"; readonly node: string };

/** What one step does. */
export type Action =
  | { readonly kind: "write-files"; readonly files: readonly HostFile[] }
  | { readonly kind: "remove-files"; readonly paths: readonly string[] }
  /** Docker would make a missing folder that is to be bound, but open to everybody. */
  | { readonly kind: "make-folder"; readonly path: string; readonly mode: number }
  /**
   * Start it, replacing one of its component whose spec differs; healthy when `healthPort` accepts on loopback.
   * One that runs as wanted starts anew if this run has written the file `restartsWith`.
   */
  | {
      readonly kind: "run-container";
      readonly container: ContainerSpec;
      readonly healthPort?: number;
      readonly restartsWith?: string;
    }
  | { readonly kind: "wait"; readonly probe: Probe }
  /** Create or bring to this state, in order. */
  | { readonly kind: "apply-objects"; readonly objects: readonly KubernetesObject[] }
  /** Give the node its pod CIDR now instead of when the controller-manager first looks; no-op if it has one. */
  | { readonly kind: "set-pod-cidr"; readonly node: string; readonly podCidr: string }
  /** Labels that a kubelet may not give to its own node. */
  | { readonly kind: "label-node"; readonly node: string; readonly labels: Readonly<Record<string, string>> };

/** A step runs as soon as all that it needs is done. */
export interface Step {
  readonly id: string;
  /** What the report shows and times, such as `control plane`. Several steps may share one. */
  readonly phase: string;
  readonly needs: readonly string[];
  readonly action: Action;
}

/** What a run will do on one host. Pure data: prints (`--dry-run`), compares, and is tested without Docker. */
export interface Plan {
  readonly role: "master" | "worker";
  readonly clusterName: string;
  /** Such as `v1.20.2`. */
  readonly version: string;
  readonly nodeName: string;
  readonly steps: readonly Step[];
  /** Shown before anything is done; each is one sentence. */
  readonly warnings: readonly string[];
}
