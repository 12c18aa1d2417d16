import { quorumOf } from "../kubernetes/etcdMembers.js";

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
  /** In the order of the file: the first one makes the cluster where there is none. */
  readonly masters: readonly [SeenHost, ...SeenHost[]];
  readonly workers: readonly SeenHost[];
  /** Names of nodes of the cluster; empty if it does not run. */
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
 * Decides what is done on which host, and in which order: masters, one by one; then new workers, so that there is room
 * for the pods of others; then those that change, one by one unless the person says otherwise; then nodes go that are
 * not in the file. Nothing is done while a host is refused, unless the person says so. Pure.
 */
export function planCluster(input: ClusterPlanInput): ClusterPlan {
  const { masters, workers, options } = input;
  const hosts = [...masters, ...workers];
  const left = hosts.filter(({ state }) => state.kind === "same").map(({ name }) => name);
  const halted = haltedBy(input);
  const waits = waitingMasters(input);
  const skipped = hosts.flatMap(({ name, state }) => {
    if (state.kind === "same") return [];
    if (state.kind === "unreachable") return [{ host: name, why: "it is not reached" }];
    if (state.kind === "refused") return [{ host: name, why: "a check stands against it" }];
    const why = halted ?? waits.get(name);
    return why === undefined ? [] : [{ host: name, why }];
  });
  const named = (some: readonly SeenHost[], kinds: readonly HostState["kind"][]): string[] =>
    some.filter(({ name, state }) => kinds.includes(state.kind) && !waits.has(name)).map(({ name }) => name);
  const fresh = named(masters, ["new"]);
  const founders = isThere(masters) ? [] : fresh.slice(0, 1);
  const waves: Wave[] = [
    { work: "make", hosts: founders, parallel: 1 },
    { work: "change", hosts: named(masters, ["different", "unknown"]), parallel: 1 },
    { work: "join", hosts: fresh.slice(founders.length), parallel: 1 },
    { work: "join", hosts: named(workers, ["new"]), parallel: options.parallel ?? usualParallel },
    { work: "change", hosts: named(workers, ["different", "unknown"]), parallel: options.parallel ?? 1 },
  ];
  return {
    waves: halted === undefined ? waves.filter((wave) => wave.hosts.length > 0) : [],
    left,
    skipped,
    ...strangersOf(input, halted),
  };
}

const workable: readonly HostState["kind"][] = ["same", "different", "unknown"];

/** Whether one of them has something of a cluster. */
function isThere(masters: readonly SeenHost[]): boolean {
  return masters.some(({ state }) => workable.includes(state.kind));
}

/**
 * Masters that are not to change now: without them, as long as their work lasts, etcd could not go on. All members have
 * to be reached, or more than half of them beside the one that is worked on. Where the cluster does not run, nothing is
 * lost.
 */
function waitingMasters({ masters, nodes }: ClusterPlanInput): Map<string, string> {
  const away = masters.filter(({ state }) => ["unreachable", "refused"].includes(state.kind));
  const up = masters.filter(({ state }) => workable.includes(state.kind));
  const others = up.length - 1;
  const [lost] = away;
  if (!lost || nodes.length === 0 || others >= quorumOf(up.length + away.length)) return new Map();
  const why = `etcd could not go on without it while ${lost.name} is away`;
  return new Map(up.filter(({ state }) => state.kind !== "same").map(({ name }) => [name, why]));
}

/** Why nothing at all is done. */
function haltedBy(input: ClusterPlanInput): string | undefined {
  const { masters, workers, options } = input;
  const [first, ...further] = masters;
  if (!isThere(masters)) {
    if (first.state.kind === "unreachable") return `the master ${first.name} is not reached`;
    if (first.state.kind === "refused") return `a check stands against the master ${first.name}`;
    const away = further.filter(({ state }) => ["unreachable", "refused"].includes(state.kind)).map(({ name }) => name);
    // They may be a cluster that runs, of which the others were lost.
    if (away.length >= quorumOf(masters.length)) return `a cluster may run on ${someOf(away)}, which cannot be looked at`;
  }
  const others = isThere(masters) ? [...masters, ...workers] : [...further, ...workers];
  const refused = others.filter(({ state }) => state.kind === "refused").map(({ name }) => name);
  if (refused.length === 0 || options.continue) return undefined;
  return `a check stands against ${someOf(refused)}`;
}

function someOf(names: readonly string[]): string {
  return `${names.slice(0, 3).join(", ")}${names.length > 3 ? ", …" : ""}`;
}

function strangersOf(
  { masters, workers, nodes, options }: ClusterPlanInput,
  halted: string | undefined,
): Pick<ClusterPlan, "strangers" | "prunes" | "prunesNot"> {
  const hosts = [...masters, ...workers];
  const known = new Set(hosts.map(({ nodeName }) => nodeName));
  const strangers = nodes.filter((node) => !known.has(node));
  if (strangers.length === 0) return { strangers, prunes: [] };
  const nameless = hosts.find(({ nodeName }) => nodeName === undefined);
  const doubt = nameless && `one of them may be ${nameless.name}, whose node's name is not known`;
  const prunesNot = doubt ?? (options.prune ? halted : undefined);
  if (prunesNot !== undefined) return { strangers, prunes: [], prunesNot };
  return { strangers, prunes: options.prune ? strangers : [] };
}
