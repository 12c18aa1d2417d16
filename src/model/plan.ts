import type { AddressRanges } from "./addressRanges.js";
import type { Component, ContainerSpec } from "./containerSpec.js";
import type { CleanupScope } from "./cleanupScope.js";
import type { HostFile } from "./hostFile.js";
import type { KubernetesObject, ObjectReference } from "./kubernetesObject.js";
import type { NetworkName } from "./podNetwork.js";

/** Something to wait for. Each has a deadline, and says what it saw last. */
export type Probe =
  /** An API server of this version serves requests, though it may not have made all that it brings. */
  | { readonly kind: "api-serves"; readonly version: string }
  /** `GET /healthz` of the API server says ok. */
  | { readonly kind: "api-answers" }
  /** The Node object is there. */
  | { readonly kind: "node-registered"; readonly node: string }
  /** The Node's Ready condition is True. A heartbeat from before the kubelet container's start does not count. */
  | { readonly kind: "node-ready"; readonly node: string }
  /** The Node has its pod CIDR. */
  | { readonly kind: "node-has-cidr"; readonly node: string }
  /** The Node has these annotations, with these values. */
  | {
      readonly kind: "node-annotated";
      readonly node: string;
      readonly annotations: Readonly<Record<string, string>>;
    }
  /** Deployments and DaemonSets have all their pods, and those take requests. */
  | { readonly kind: "workloads-available"; readonly workloads: readonly ObjectReference[] }
  /**
   * These objects are gone, but for configuration that a person has edited, and the pods of these Deployments; and the
   * add-on manager has read its folder in this revision: in none of its passes from now on does it make them again.
   */
  | {
      readonly kind: "objects-gone";
      readonly objects: readonly ObjectReference[];
      readonly pods: readonly PodsOfDeployment[];
      readonly revision: string;
    }
  /**
   * The cluster's DNS at the address `server` knows the name by that address, as `node` sees it. Where pods' packets
   * need routes of the owner's, DNS on other nodes that lack them is a warning.
   */
  | {
      readonly kind: "name-resolves";
      readonly name: string;
      readonly address: string;
      readonly server: string;
      readonly node: string;
      readonly network: NetworkName;
    };

/** By what a Deployment's pods are known when it is gone. */
export interface PodsOfDeployment {
  readonly deployment: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** By what a container shows that it works: a port of the host's loopback, or a socket file, that accepts. */
export type Health = { readonly port: number } | { readonly socket: string };

/** What one step does. */
export type Action =
  | { readonly kind: "write-files"; readonly files: readonly HostFile[] }
  | { readonly kind: "remove-files"; readonly paths: readonly string[] }
  /** Docker would make a missing folder that is to be bound, but open to everybody. */
  | { readonly kind: "make-folder"; readonly path: string; readonly mode: number }
  /** Unless it is here. */
  | { readonly kind: "pull-image"; readonly reference: string }
  /**
   * Start it, replacing one of its component whose spec differs; one that replaces another has to be healthy. One that
   * runs as wanted starts anew if this run has written one of the files `restartsWith` or started the component
   * `restartsAfter`. A new one has what this run has found out, else `values`, in place of `{{name}}` in its command:
   * of that the digest of its spec knows nothing.
   */
  | {
      readonly kind: "run-container";
      readonly container: ContainerSpec;
      readonly health?: Health;
      readonly restartsWith?: readonly string[];
      readonly restartsAfter?: Component;
      readonly values?: Readonly<Record<string, string>>;
    }
  /**
   * Run it in place of the one of its component that this run has started: what a first start has to be told, no later
   * one may be. `values` as above.
   */
  | {
      readonly kind: "replace-container";
      readonly container: ContainerSpec;
      readonly health: Health;
      readonly values: Readonly<Record<string, string>>;
    }
  /**
   * A further member of the cluster's etcd, which learns until it can vote; waits while another one learns. One of this
   * name that is elsewhere is a lost machine's, and goes. `from`: a master that lives.
   */
  | { readonly kind: "add-member"; readonly member: EtcdMemberPlace; readonly from: string }
  /** The member here votes, and its peers know where it is; `from` is asked where it does not vote yet. */
  | { readonly kind: "settle-member"; readonly member: EtcdMemberPlace; readonly from?: string }
  /** Wait until etcd's other members can do without the one here, which is about to stop for a moment. */
  | { readonly kind: "spare-member" }
  /**
   * It is no member any more, so that it does not count as one that has failed. `from`: where etcd answers, here or on
   * another master. `force`: go on if that cannot be.
   */
  | { readonly kind: "remove-member"; readonly member: KnownMember; readonly from: string; readonly force: boolean }
  /**
   * `madeBy`: programs that make it when they start, and never again. Where it has been removed since, those that this
   * run has not started start anew, the last one after all others.
   */
  | { readonly kind: "wait"; readonly probe: Probe; readonly madeBy?: readonly Component[] }
  /** Create or bring to this state, in order. Configuration that a person has edited stays. */
  | { readonly kind: "apply-objects"; readonly objects: readonly KubernetesObject[] }
  /** Those that are there. Configuration that a person has edited stays. */
  | { readonly kind: "delete-objects"; readonly objects: readonly ObjectReference[] }
  /** A Node object for a kubelet that wants to find one; one that is there stays as it is. */
  | { readonly kind: "create-node"; readonly object: KubernetesObject }
  /** Give the node its pod CIDR now instead of when the controller-manager first looks; no-op if it has one. */
  | { readonly kind: "set-pod-cidr"; readonly node: string; readonly podCidrs: AddressRanges }
  /**
   * Write the file, the node's pod CIDR in place of `{{podCidr}}`, as soon as the node has one; and start the
   * kubelet anew if that changed it and `restartsKubelet`.
   */
  | {
      readonly kind: "write-pod-network";
      readonly node: string;
      readonly file: HostFile;
      readonly restartsKubelet: boolean;
    }
  /** What a kubelet may not say of its own node, or has no flag for. */
  | {
      readonly kind: "mark-node";
      readonly node: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations?: Readonly<Record<string, string>>;
    }
  /** No new pods for the node, and those that are there are evicted. A cluster that is gone holds nobody back. */
  | { readonly kind: "drain-node"; readonly node: string; readonly evictionApiVersion: string }
  /** Delete the Node object. A cluster that is gone holds nobody back. */
  | { readonly kind: "remove-node"; readonly node: string }
  /** All at the same time. `comesBack`: they are started again if the run fails. */
  | {
      readonly kind: "stop-containers";
      readonly containers: readonly StoppedContainer[];
      readonly comesBack?: true;
    }
  /**
   * Keep a copy of a folder that nobody writes to at this moment: what is in it comes back if the run fails. The copy
   * is removed when the run has worked. One that is there already is an interrupted run's, and stays until then; where
   * it alone is left, because that run was undoing, it becomes the folder again first. `scrap` is what of both is of no
   * use: it is beside them while a copy is being made or put back. `several`: what is said there.
   */
  | {
      readonly kind: "keep-copy";
      readonly folder: string;
      readonly copy: string;
      readonly scrap: string;
      readonly several?: SeveralMembers;
    }
  /** When the run has worked, with all that is in it. */
  | { readonly kind: "remove-folder"; readonly path: string }
  /** With their anonymous volumes; `andPods`: those as well that the kubelet has made since the plan. */
  | { readonly kind: "remove-containers"; readonly containers: readonly NamedContainer[]; readonly andPods: boolean }
  /** Remove all that is in the scope from the host, and look whether it is gone. */
  | { readonly kind: "clean-host"; readonly scope: CleanupScope };

/** A member of etcd, by the node that it is on. */
export interface EtcdMemberPlace {
  /** The node's name. */
  readonly name: string;
  /** `https://10.0.0.5:2380` */
  readonly peerUrl: string;
}

/**
 * The folder is of an etcd that may have other members. They count on all that it has ever said to have: a copy that is
 * put back makes them panic, or lose what they have committed. So with others there is no copy, and none is put back.
 */
export interface SeveralMembers {
  /** The minor version that etcd goes up to here, such as `3.6`; undefined if it stays. */
  readonly goesTo?: string;
}

/** One that etcd knows. By its id: where its peers find it may be still another address than its node's. */
export interface KnownMember {
  readonly id: string;
  /** The node's name. */
  readonly name: string;
}

/** One that is to end. */
export interface StoppedContainer extends NamedContainer {
  /** Seconds between SIGTERM and SIGKILL. */
  readonly graceSeconds: number;
}

/** A container by its id, and by the name that a person knows. */
export interface NamedContainer {
  readonly id: string;
  readonly name: string;
}

/** The action of one kind. */
export type ActionOf<Kind extends Action["kind"]> = Extract<Action, { readonly kind: Kind }>;

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
  /** Shown before anything is done. */
  readonly warnings: readonly PlanWarning[];
}

export interface PlanWarning {
  /** One sentence. */
  readonly message: string;
  /** One that nobody should overlook. */
  readonly danger?: true;
}
