/** The containers that tsdeploy starts itself; pods are the kubelet's. */
export type Component = "etcd" | "cri" | "kubelet" | "proxy" | "flannel" | "haproxy" | "helper";

/** Docker's own words. */
export type RestartPolicy = "no" | "always" | "unless-stopped" | "on-failure";

/** A folder or file of the host inside a container. */
export interface Bind {
  readonly source: string;
  readonly target: string;
  readonly readOnly?: boolean;
  readonly propagation?: "rslave" | "rshared" | "shared";
}

/** All that a container of ours is made of. Plain data: prints, compares, and holds no secret. */
export interface ContainerSpec {
  readonly component: Component;
  readonly image: string;
  /** Program and arguments; the image's own entry point is always cleared. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly binds: readonly Bind[];
  readonly labels: Readonly<Record<string, string>>;
  readonly hostPid: boolean;
  readonly privileged: boolean;
  /** SELinux lets it have the host's files that it binds, as it does privileged ones; for daemons that know SELinux. */
  readonly unlabelled?: boolean;
  /** `host` is said for every privileged one: on cgroup v2 Docker would give it a namespace of its own. */
  readonly hostCgroupNamespace: boolean;
  /** `no` makes Docker remove it when it ends. */
  readonly restartPolicy: RestartPolicy;
  /** How many files its program may have open, soft and hard limit; default: what Docker gives. */
  readonly openFiles?: number;
  /** How long Docker waits between SIGTERM and SIGKILL. */
  readonly stopGraceSeconds?: number;
}
