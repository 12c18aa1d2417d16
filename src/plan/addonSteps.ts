import { parseAllDocuments } from "yaml";
import { type AddonContext } from "../addons/addon.js";
import { addonFile, addonObjects, addonPath, addons } from "../addons/addons.js";
import { clusterTolerations, isTolerated } from "../addons/podParts.js";
import { parseWrittenFiles, type WrittenFiles } from "../host/writtenFiles.js";
import { addressAt } from "../kubernetes/networks.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import { type AddonName, addonNames } from "../model/addonNames.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ObservedHost } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import type { KubernetesObject, ObjectReference } from "../model/kubernetesObject.js";
import type { RegistryMirrors, Taint, UserAddon } from "../model/options.js";
import type { PlanWarning, PodsOfDeployment, Step } from "../model/plan.js";
import { sha256 } from "../model/specDigest.js";
import { podNetworkOf } from "../network/podNetworks.js";
import { imageStep } from "./nodePlan.js";
import { step, when } from "./step.js";

const ownPaths: ReadonlySet<string> = new Set(addonNames.map(addonPath));

export interface AddonPartInput {
  /** The only one that is to be looked at; all others stay as they are. */
  readonly only?: AddonName;
  /** Add-ons that come with this package as files. */
  readonly bundled: readonly HostFile[];
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly nodeName: string;
  /** Of this cluster, besides this one: pods that may not run here may run there. */
  readonly hasOtherNodes: boolean;
  readonly options: {
    readonly registryMirrors: RegistryMirrors;
    readonly nodeTaints: readonly Taint[];
    readonly addons: readonly UserAddon[];
  };
  readonly pullSecret?: PullSecret;
  /** Of the add-on folder, if this run takes something out of it: one that it has never had. */
  readonly revision?: string;
}

/** How kubelets log in for add-ons' images. */
export interface PullSecret {
  /** The Secret, if this run writes it. */
  readonly objects: readonly KubernetesObject[];
  /** Whether there is one, also of an earlier run. */
  readonly isThere: boolean;
}

/** What a plan has for add-ons: those of tsdeploy that are on, those that are no more, and the person's own. */
export interface AddonPart {
  readonly files: readonly HostFile[];
  /** Those that steps of its own write. */
  readonly lateFiles: readonly HostFile[];
  /** Files of the person's that have left their folder: the add-on manager deletes what was in them. */
  readonly stale: readonly string[];
  readonly warnings: readonly PlanWarning[];
  /** @param after after which objects can be made @param ready after which pods can start on this node, besides */
  readonly steps: (after: string, ready: readonly string[]) => Step[];
}

/** The add-ons of a master. */
export function addonPart(input: AddonPartInput): AddonPart {
  const { config, features, observed, options, only } = input;
  const { objects: secrets, isThere: pullSecret } = input.pullSecret ?? { objects: [], isThere: false };
  const context: AddonContext = { config, features, observed, mirrors: options.registryMirrors, pullSecret };
  const isMeant = (name: AddonName): boolean => only === undefined || name === only;
  const rendered = config.addons.filter(isMeant).map((name) => {
    const objects = addonObjects(name, context);
    return { name, objects, file: addonFile(name, objects) };
  });
  const secretSteps = (after: string): readonly Step[] =>
    when(secrets.length > 0, step("pull-secret", "add-ons", [after], { kind: "apply-objects", objects: secrets }));
  const own = options.addons.map(({ name, content }): HostFile => {
    return { path: `${paths.addons}/${name}`, mode: 0o644, content, secret: false };
  });
  const all = [...input.bundled, ...rendered.map(({ file }) => file), ...own];
  const left = leftFiles(observed, all);
  const gone = left.ours.filter((path) => addonNames.some((name) => isMeant(name) && addonPath(name) === path));
  const obstacle = rendered.some(({ name }) => name === "coredns") ? dnsObstacle(input) : undefined;
  const dangers = rendered.flatMap(({ name }) => addons[name].danger?.(features) ?? []);
  return {
    files: only === undefined ? all : rendered.map(({ file }) => file),
    lateFiles: gone.length > 0 ? [revisionFile(input)] : [],
    stale: only === undefined ? left.ours.filter((path) => !ownPaths.has(path)) : [],
    warnings: [
      ...dangers.map((message) => ({ message, danger: true }) as const),
      ...(obstacle === undefined ? [] : [{ message: obstacle }]),
      ...left.edited
        .filter((path) => only === undefined || path === addonPath(only))
        .map((path) => ({ message: `${path} was edited on the host, and stays: remove it there` })),
    ],
    steps: (after, ready) => [
      ...secretSteps(after),
      ...rendered.flatMap(({ name, objects }) => [
        step(`addon-${name}`, phaseOf(name), [after, ...secretSteps(after).map(({ id }) => id)], {
          kind: "apply-objects",
          objects,
        }),
        ...when(name === "coredns" && obstacle === undefined, ...dnsWait(context, input.nodeName, ready)),
        // A master is one without them; who turns one on wants to have it.
        ...when(only !== undefined && name !== "coredns", availability(name, objects)),
      ]),
      ...deletions(gone, after, input),
    ],
  };
}

function phaseOf(name: AddonName): string {
  return name === "coredns" ? "dns" : "add-ons";
}

function availability(name: AddonName, objects: readonly KubernetesObject[]): Step {
  const workloads = objects.filter(({ kind }) => kind === "Deployment" || kind === "DaemonSet").map(referenceTo);
  return step(`available-${name}`, phaseOf(name), [`addon-${name}`], {
    kind: "wait",
    probe: { kind: "workloads-available", workloads },
  });
}

/** Until a name resolves; its image comes meanwhile, so that a pull that fails says so. */
function dnsWait(context: AddonContext, node: string, ready: readonly string[]): Step[] {
  const { config } = context;
  const image = imageStep("coredns-image", addons.coredns.image(context).reference, config);
  return [
    ...image,
    step("dns", "dns", ["addon-coredns", ...ready, ...image.map(({ id }) => id)], {
      kind: "wait",
      probe: {
        kind: "name-resolves",
        name: `kubernetes.default.svc.${config.clusterDomain}`,
        address: addressAt(config.serviceCidr[0], 1),
        server: config.clusterDns,
        node,
        network: config.network,
      },
    }),
  ];
}

/** Why DNS cannot come up on this node, as a sentence for whoever runs the command. */
function dnsObstacle({ config, options, hasOtherNodes }: AddonPartInput): string | undefined {
  if (!podNetworkOf(config).makesNodesReady) {
    return "CoreDNS starts when you have brought a pod network: nobody waits for it now.";
  }
  const taint = options.nodeTaints.find((one) => !isTolerated(one, clusterTolerations));
  if (!taint || hasOtherNodes) return undefined;
  return `The taint ${taint.key}:${taint.effect} keeps CoreDNS off this node: names resolve when another node has joined.`;
}

/** Add-ons that an earlier run wrote and this one does not, by whether a person has changed them since. */
function leftFiles(
  { files: present }: ObservedHost,
  wanted: readonly HostFile[],
): { readonly ours: string[]; readonly edited: string[] } {
  const written = parseWrittenFiles(present.get(paths.writtenFiles)?.content);
  const left = Object.keys(written).filter(
    (path) =>
      path.startsWith(`${paths.addons}/`) && path !== paths.addonsRevision && present.has(path) && !wanted.some((file) => file.path === path),
  );
  const isOurs = (path: string): boolean => isAsWritten(written, path, present.get(path)?.content);
  return { ours: left.filter(isOurs), edited: left.filter((path) => !isOurs(path)) };
}

function isAsWritten(written: WrittenFiles, path: string, content = ""): boolean {
  return written[path]?.includes(sha256(content)) === true;
}

/**
 * Takes add-ons of ours away: the objects first, so that a run that is cut short leaves the file by which the next one
 * knows. What a pass of the add-on manager that began before makes again is deleted again, until that has read the
 * folder without the file; it alone takes the pods of the oldest Deployments.
 */
function deletions(stale: readonly string[], after: string, input: AddonPartInput): Step[] {
  const { observed, features } = input;
  const left = addonNames.filter((name) => stale.includes(addonPath(name)));
  if (left.length === 0) return [];
  const objectsOf = (name: AddonName): KubernetesObject[] => objectsIn(observed.files.get(addonPath(name))?.content ?? "");
  const file = revisionFile(input);
  return [
    ...left.flatMap((name) => {
      const objects = objectsOf(name)
        .filter(({ kind }) => features.deletionPropagation || kind !== "Deployment")
        .map(referenceTo)
        .reverse();
      return [
        step(`delete-${name}`, phaseOf(name), [after], { kind: "delete-objects", objects }),
        step(`remove-${name}`, phaseOf(name), [`delete-${name}`], { kind: "remove-files", paths: [addonPath(name)] }),
      ];
    }),
    step("addons-revision", "add-ons", left.map((name) => `remove-${name}`), { kind: "write-files", files: [file] }),
    ...left.map((name) => {
      const all = objectsOf(name);
      const pods = all.flatMap(podsOfDeployment);
      return step(`gone-${name}`, phaseOf(name), ["addons-revision"], {
        kind: "wait",
        probe: { kind: "objects-gone", objects: all.map(referenceTo), pods, revision: file.content.trim() },
      });
    }),
  ];
}

function revisionFile({ revision = "none" }: AddonPartInput): HostFile {
  return { path: paths.addonsRevision, mode: 0o644, content: `${revision}\n`, secret: false };
}

/** The objects of a file that we have written. */
function objectsIn(text: string): KubernetesObject[] {
  const documents = parseAllDocuments(text);
  return Array.isArray(documents) ? documents.map((document) => document.toJS() as KubernetesObject) : [];
}

function referenceTo({ apiVersion, kind, metadata: { name, namespace } }: KubernetesObject): ObjectReference {
  return { apiVersion, kind, metadata: { name, ...(namespace !== undefined && { namespace }) } };
}

function podsOfDeployment({ kind, metadata, spec }: KubernetesObject): PodsOfDeployment[] {
  if (kind !== "Deployment") return [];
  const { selector } = spec as { readonly selector: { readonly matchLabels: Readonly<Record<string, string>> } };
  const { name: deployment, namespace = "default" } = metadata;
  return [{ deployment, namespace, labels: selector.matchLabels }];
}
