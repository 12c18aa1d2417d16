import { changeNode } from "../../../src/deploy/changeNode.js";
import { forgetJoined } from "../../../src/deploy/joinMaster.js";
import { openHelper } from "../../../src/host/helperSession.js";
import { messageOf } from "../../../src/model/errors.js";
import type { ObservedHost } from "../../../src/model/hostFacts.js";
import { cniConfigFiles, etcdMember, kubeletFolders, paths } from "../../../src/model/hostLayout.js";
import type { Plan } from "../../../src/model/plan.js";
import type { Report } from "../../../src/report/events.js";
import type { RunContext } from "../../../src/report/runContext.js";
import type { Call } from "./faults.js";
import { hostOfHelper } from "./hostOfHelper.js";
import type { MemoryHost } from "./memoryHost.js";
import { isBelow, parentOf } from "./state.js";

/** A plan, and the host that it was made for. */
export interface Scene {
  readonly host: MemoryHost;
  readonly observed: ObservedHost;
  readonly plan: Plan;
  readonly overwrite: boolean;
  /** Of a further master. */
  readonly joined?: { readonly nodeName: string };
}

/** The facts of this host, beside what a fixture says of all hosts. */
export async function observe(host: MemoryHost, fixture: ObservedHost): Promise<ObservedHost> {
  const { files, folders, images } = host.state;
  const { image } = fixture;
  const holders = [paths.kubeletRoot, ...kubeletFolders, paths.etcd, `${paths.cniState}/networks`];
  return {
    image: images.get(image.tags[0] ?? "")?.details ?? image,
    engine: { ...fixture.engine, endpoint: host.engine.endpoint, containers: await host.engine.listContainers() },
    files: new Map(
      [...files].filter(([path]) => isBelow(path, paths.kubernetes) || cniConfigFiles.includes(path)),
    ),
    host: {
      ...fixture.host,
      etcdData: files.has(etcdMember),
      existingPaths: [...folders.keys()],
      // It has none, and its Docker makes folders of what is missing.
      identityFiles: [],
      entries: [...files.keys(), ...folders.keys()].filter((path) => holders.includes(parentOf(path))),
      sysctls: {},
      iptables: [],
    },
  };
}

export interface Outcome {
  readonly error: unknown;
  readonly warnings: readonly string[];
  /** Those of the plan, its undoing and its tidying up. */
  readonly calls: readonly Call[];
}

export interface TrialOptions {
  readonly timeoutMs?: number;
  /** Sees every event before the run goes on; what it throws is the failure of the step that reports. */
  readonly onEvent?: Report;
  readonly signal?: AbortSignal;
  readonly keepOnFailure?: boolean;
}

/** Carries the plan out as `master` and `worker` do, on this copy of the scene's host. */
export async function carryOut(
  { observed, plan, overwrite, joined }: Scene,
  host: MemoryHost,
  options: TrialOptions = {},
): Promise<Outcome> {
  const { faults, engine, api } = host;
  const warnings: string[] = [];
  const report: Report = (event) => {
    faults.report(event);
    if (event.kind === "warning") warnings.push(event.message);
    options.onEvent?.(event);
  };
  const { timeoutMs = 5_000, keepOnFailure = false, signal = new AbortController().signal } = options;
  const context = { report, signal, env: {}, isTTY: false } as RunContext;
  const helper = await openHelper(engine, observed.image.id, { clusterName: plan.clusterName });
  hostOfHelper.set(helper, host);
  // All but what leads to the plan itself.
  faults.reset();
  let error: unknown;
  try {
    await faults.apart(() =>
      changeNode({
        plan,
        session: { engine, helper, observed },
        api,
        options: { overwrite, keepOnFailure, timeoutMs, pullTimeoutMs: timeoutMs },
        keepsData: observed.host.etcdData || (observed.files.has(paths.options) && !joined),
        etcd: host.etcd,
        forget: joined && (() => forgetJoined(host.others, joined, { timeoutMs }, context)),
        context,
      }),
    );
  } catch (failure) {
    error = failure;
  }
  const calls = [...faults.calls];
  faults.rest();
  await helper.close();
  return { error, warnings, calls };
}

/** A run that has to work. */
export async function carryOutWell(scene: Scene, host: MemoryHost): Promise<void> {
  const { error } = await carryOut(scene, host);
  if (error !== undefined) throw error instanceof Error ? error : new Error(messageOf(error));
}
