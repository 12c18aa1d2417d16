/** How a host is, compared with what its file says. */
export type HostState =
  /** Nothing of tsdeploy runs there. */
  | { readonly kind: "new" }
  | { readonly kind: "same" }
  /** `drains`: its pods have to go elsewhere before. */
  | { readonly kind: "different"; readonly changes: readonly string[]; readonly drains: boolean }
  /** A node that can be compared only when its master runs. */
  | { readonly kind: "unknown" }
  | { readonly kind: "unreachable" }
  /** A check stands against it. */
  | { readonly kind: "refused" };

/** A host of the file, as a run has seen it. */
export interface SeenHost {
  readonly name: string;
  /** Of its Node; undefined where nobody knows it. */
  readonly nodeName?: string;
  readonly state: HostState;
}

export interface ClusterPlanInput {
  readonly master: SeenHost;
  readonly workers: readonly SeenHost[];
  /** Names of all nodes of the cluster; empty if it does not run. */
  readonly nodes: readonly string[];
  readonly options: { readonly parallel?: number; readonly prune: boolean; readonly continue: boolean };
}

export type HostWork = "make" | "join" | "change";

/** Hosts of one kind of work, at most `parallel` at once. A wave begins when the one before has ended. */
export interface Wave {
  readonly work: HostWork;
  readonly hosts: readonly string[];
  readonly parallel: number;
}

/** What a run does on all hosts of a cluster. */
export interface ClusterPlan {
  readonly waves: readonly Wave[];
  /** As they should be. */
  readonly left: readonly string[];
  /** What cannot be done now, and why: each is for a later run. */
  readonly skipped: readonly { readonly host: string; readonly why: string }[];
  /** Nodes of the cluster that no host of the file is. */
  readonly strangers: readonly string[];
  /** Those of them that are removed at the end. */
  readonly prunes: readonly string[];
  /** Why none of them is removed, whatever the person says. */
  readonly prunesNot?: string;
}

/** Workers that join at the same time. */
const usualParallel = 10;

/**
 * Decides what is done on which host, and in which order: the master; then new workers, so that there is room for the
 * pods of others; then those that change, one by one unless the person says otherwise; then nodes go that are not in
 * the file. Nothing is done while a host is refused, unless the person says so. Pure.
 */
export function planCluster(input: ClusterPlanInput): ClusterPlan {
  const { master, workers, options } = input;
  const hosts = [master, ...workers];
  const left = hosts.filter(({ state }) => state.kind === "same").map(({ name }) => name);
  const halted = haltedBy(input);
  const skipped = hosts.flatMap(({ name, state }) => {
    if (state.kind === "same") return [];
    if (state.kind === "unreachable") return [{ host: name, why: "it is not reached" }];
    if (state.kind === "refused") return [{ host: name, why: "a check stands against it" }];
    return halted === undefined ? [] : [{ host: name, why: halted }];
  });
  const named = (kinds: readonly HostState["kind"][]): string[] =>
    workers.filter(({ state }) => kinds.includes(state.kind)).map(({ name }) => name);
  const masterWork = { new: "make", different: "change", unknown: "change" } as const;
  const { kind } = master.state;
  const waves: Wave[] = [
    ...(kind in masterWork
      ? [{ work: masterWork[kind as keyof typeof masterWork], hosts: [master.name], parallel: 1 }]
      : []),
    { work: "join" as const, hosts: named(["new"]), parallel: options.parallel ?? usualParallel },
    { work: "change" as const, hosts: named(["different", "unknown"]), parallel: options.parallel ?? 1 },
  ];
  return {
    waves: halted === undefined ? waves.filter((wave) => wave.hosts.length > 0) : [],
    left,
    skipped,
    ...strangersOf(input, halted),
  };
}

/** Why nothing at all is done. */
function haltedBy({ master, workers, options }: ClusterPlanInput): string | undefined {
  if (master.state.kind === "unreachable") return `the master ${master.name} is not reached`;
  if (master.state.kind === "refused") return `a check stands against the master ${master.name}`;
  const refused = workers.filter(({ state }) => state.kind === "refused").map(({ name }) => name);
  if (refused.length === 0 || options.continue) return undefined;
  return `a check stands against ${refused.slice(0, 3).join(", ")}${refused.length > 3 ? ", …" : ""}`;
}

function strangersOf(
  { master, workers, nodes, options }: ClusterPlanInput,
  halted: string | undefined,
): Pick<ClusterPlan, "strangers" | "prunes" | "prunesNot"> {
  const hosts = [master, ...workers];
  const known = new Set(hosts.map(({ nodeName }) => nodeName));
  const strangers = nodes.filter((node) => !known.has(node));
  if (strangers.length === 0) return { strangers, prunes: [] };
  const nameless = hosts.find(({ nodeName }) => nodeName === undefined);
  const doubt = nameless && `one of them may be ${nameless.name}, whose node's name is not known`;
  const prunesNot = doubt ?? (options.prune ? halted : undefined);
  if (prunesNot !== undefined) return { strangers, prunes: [], prunesNot };
  return { strangers, prunes: options.prune ? strangers : [] };
}
