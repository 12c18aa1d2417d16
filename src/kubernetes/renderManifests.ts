import { familiesText, isAddress, isDualStack } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { TsdeployError } from "../model/errors.js";
import { apiserverPort, labels } from "../model/hostLayout.js";
import type { ExtraArgs, Patch, PatchableComponent } from "../model/options.js";
import { specDigest } from "../model/specDigest.js";
import * as z from "../model/zod.js";
import { applyPatch } from "./applyPatch.js";
import { fillText, type Flags, fromArguments, toArguments, versionFlags } from "./commandFlags.js";
import { apiserverOf, nodeCidrMaskFlags } from "./networks.js";
import { schedulerCommandArgs } from "./schedulerConfiguration.js";
import { startupAnnotation, withStartupTime } from "./startupProbes.js";
import type { VersionFeatures } from "./versions.js";
import type { Program } from "./versionTable.js";

/** The bundled manifests: file name in manifests-multi/ -> JSON text. */
export type BundledManifests = Readonly<Record<string, string>>;

const podSchema = z.looseObject({
  apiVersion: z.string(),
  kind: z.literal("Pod"),
  metadata: z.looseObject({
    name: z.string(),
    labels: z.record(z.string(), z.string()).optional(),
    annotations: z.record(z.string(), z.string()).optional(),
  }),
  spec: z.looseObject({
    containers: z
      .array(
        z.looseObject({
          name: z.string(),
          image: z.string(),
          command: z.array(z.string()).optional(),
          livenessProbe: z.looseObject({ httpGet: z.looseObject({}).optional() }).optional(),
          volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).optional(),
        }),
      )
      .min(1),
    volumes: z
      .array(
        z.looseObject({
          name: z.string(),
          hostPath: z.looseObject({ path: z.string(), type: z.string().optional() }).optional(),
        }),
      )
      .optional(),
  }),
});

/** A manifest, as far as we look into it. */
export type Pod = z.infer<typeof podSchema>;
type Container = Pod["spec"]["containers"][number];

/** All that rendering needs. */
export interface RenderInput {
  readonly manifests: BundledManifests;
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly nodeName: string;
  readonly nodeIp: string;
  /** What `setup-files.sh` makes server certificates for that are missing: DNS names and IP addresses. */
  readonly certificateNames: { readonly apiserver: readonly string[]; readonly etcdServer: readonly string[] };
  readonly iptablesBackend: "nft" | "legacy";
  /** Docker confines containers by SELinux. */
  readonly selinux: boolean;
  /** How the image's programs are called: `/hyperkube kube-apiserver`. */
  readonly programs: Readonly<Record<Program, readonly string[]>>;
  /** kube-proxy's are its whole command line, as `proxyFlags` makes it. */
  readonly extraArgs: ExtraArgs;
  readonly patches: readonly Patch[];
  /** How many seconds programs may take to start. */
  readonly startupSeconds: number;
  /** Per pod: digests of files that its programs read only once, so that a change of them restarts the pod. */
  readonly inputs: Readonly<Record<string, string>>;
}

/** A rendered manifest and its file name in the host's manifests-multi/. */
export interface RenderedManifest {
  readonly file: string;
  readonly pod: Pod;
}

const programOfContainer: Readonly<Record<string, Program>> = {
  apiserver: "apiserver",
  "controller-manager": "controller-manager",
  scheduler: "scheduler",
  "kube-proxy": "proxy",
  "node-ipam": "controller-manager",
};

/** The pod of the controller that gives nodes their pod CIDRs, where it must not hold up the others. */
const nodeIpamManifest = "node-ipam.json";

/** Targets of `--patches` -> pod, by our names and by kubeadm's. */
const patchedPods: Readonly<Record<string, string>> = {
  apiserver: "k8s-master",
  "kube-apiserver": "k8s-master",
  "controller-manager": "k8s-master",
  "kube-controller-manager": "k8s-master",
  scheduler: "k8s-master",
  "kube-scheduler": "k8s-master",
  "addon-manager": "kube-addon-manager",
};

/** Targets of `--patches` that are the kubelet's and kube-proxy's configuration. */
const patchedConfigurations: Readonly<Record<string, "kubelet" | "proxy">> = {
  kubelet: "kubelet",
  kubeletconfiguration: "kubelet",
  proxy: "proxy",
  "kube-proxy": "proxy",
};

/** Annotation with the digests of what a pod's programs read only once. */
const inputsAnnotation = "io.tsdeploy.inputs";

/**
 * The bundled manifests with this cluster's values, flags by version, extra arguments and patches. Each carries the
 * digest of itself as a label.
 *
 * @throws TsdeployError of kind usage: `PATCH_FAILED`, `PATCH_TARGET`, `PATCH_INVALID`
 */
export function renderManifests(input: RenderInput): RenderedManifest[] {
  checkPatchTargets(input.patches);
  const values = placeholders(input);
  const files = Object.entries(input.manifests).filter(([file]) => file !== nodeIpamManifest || hasOwnNodeIpam(input));
  return files.map(([file, text]) => {
    const pod = podSchema.parse(fill(JSON.parse(text), values));
    const containers = pod.spec.containers
      .map((container) => withHealth(withCommand(container, input, values), input))
      .map((container) => withStartupTime(container, input.startupSeconds, input.features));
    const spec = withUsedFiles(withPriority(withSelinux({ ...pod.spec, containers }, input), input.features));
    const whole = withStartupMark({ ...withInputs(pod, input), spec }, input);
    return { file, pod: withDigest(patched(whole, input.patches)) };
  });
}

/** Whether somebody has changed a manifest since it was rendered; what is not a pod of ours counts as changed. */
export function isEdited(text: string): boolean {
  try {
    const pod = podSchema.parse(JSON.parse(text));
    return pod.metadata.labels?.[labels.spec] !== manifestDigest(pod);
  } catch {
    return true;
  }
}

/** How many seconds a manifest lets its programs take to start; undefined if it does not say. */
export function startupSecondsOf(text: string): number | undefined {
  try {
    const seconds = Number(podSchema.parse(JSON.parse(text)).metadata.annotations?.[startupAnnotation]);
    return Number.isInteger(seconds) && seconds > 0 ? seconds : undefined;
  } catch {
    return undefined;
  }
}

/** A manifest as the file that it becomes. */
export function manifestText(pod: Pod): string {
  return `${JSON.stringify(pod, undefined, 2)}\n`;
}

/** The patches for a configuration file. @throws TsdeployError `PATCH_FAILED` */
export function patchConfiguration(
  component: "kubelet" | "proxy",
  document: unknown,
  patches: readonly Patch[],
): unknown {
  return patches
    .filter(({ target }) => Object.hasOwn(patchedConfigurations, target) && patchedConfigurations[target] === component)
    .reduce(applyPatch, document);
}

/** @throws TsdeployError of kind usage, `PATCH_TARGET`, for what no patch can be applied to */
export function checkPatchTargets(patches: readonly Patch[]): void {
  const unknown = patches.filter(
    ({ target }) => !Object.hasOwn(patchedPods, target) && !Object.hasOwn(patchedConfigurations, target),
  );
  if (unknown.length === 0) return;
  const known = [...Object.keys(patchedPods), ...Object.keys(patchedConfigurations)].sort().join(", ");
  throw new TsdeployError(
    "usage",
    unknown.map(({ target, file }) => ({
      code: "PATCH_TARGET",
      message: `${file}: there is nothing to patch for ${JSON.stringify(target)}`,
      hint: target === "etcd" ? "etcd is no pod here: use extraArgs." : `Name the file after one of: ${known}.`,
    })),
  );
}

/** Names in openssl's form: `DNS:localhost,IP:127.0.0.1`. */
function opensslNames(names: readonly string[]): string {
  return names.map((name) => (isAddress(name) ? `IP:${name}` : `DNS:${name}`)).join(",");
}

/**
 * Not if a person has decided otherwise about controllers or pod CIDRs; nor with several masters, of which one at a
 * time runs the controllers: it has no name for a lease of its own before v1.16.
 */
function hasOwnNodeIpam({ config, features, extraArgs }: RenderInput): boolean {
  if (config.severalMasters === true) return false;
  const said = extraArgs["controller-manager"] ?? {};
  return features.nodeIpamBlocks && !Object.hasOwn(said, "controllers") && !Object.hasOwn(said, "allocate-node-cidrs");
}

function placeholders(input: RenderInput): Values {
  const { config, features } = input;
  const health = features.health.apiserver;
  const [mask = "", secondMask = ""] = nodeCidrMaskFlags(config);
  const hasPasswords = features.flag("apiserver", "basic-auth-file", config.insecureApi)?.kind === "present";
  return {
    image: config.image,
    nodeName: input.nodeName,
    nodeIp: input.nodeIp,
    apiserver: apiserverOf("master", config),
    apiserverPort: String(apiserverPort),
    apiserverHealth: `${health.scheme.toLowerCase()}://127.0.0.1:${health.port}`,
    apiserverSans: opensslNames(input.certificateNames.apiserver),
    etcdNames: opensslNames(input.certificateNames.etcdServer),
    authorizationMode: features.authorizationMode,
    tokenFiles: features.nodeCredentials === "token-file" ? "--tokens" : "",
    passwordFile: hasPasswords ? "--basic-auth" : "",
    serviceAccountKey: features.serviceAccountKey === "rsa" ? "--rsa" : "",
    clusterDomain: config.clusterDomain,
    clusterName: config.clusterName,
    controllers: `*,bootstrapsigner,tokencleaner${hasOwnNodeIpam(input) ? ",-nodeipam" : ""}`,
    serviceCidr: familiesText(config.serviceCidr),
    podCidr: familiesText(config.podCidr),
    nodeCidrMask: mask,
    secondNodeCidrMask: secondMask,
    dualStackGate: isDualStack(config) ? "--feature-gates=IPv6DualStack=true" : "",
    iptablesBackend: input.iptablesBackend,
    // Alone a program would wait for its own lease to end whenever it starts again.
    leaderElect: String(config.severalMasters === true),
  };
}

function fill(value: unknown, values: Values): unknown {
  if (typeof value === "string") return fillText(value, values);
  if (Array.isArray(value)) return value.map((element) => fill(element, values));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, fill(inner, values)]));
  }
  return value;
}

type Values = Readonly<Record<string, string>>;

function withCommand(container: Container, input: RenderInput, values: Values): Container {
  if (!container.command) return container;
  // An option that this version does not need is an empty word.
  const command = container.command.filter((word) => word !== "");
  return { ...container, command: commandOf(container.name, command, input, values) };
}

function commandOf(container: string, command: readonly string[], input: RenderInput, values: Values): string[] {
  const program = programOfContainer[container];
  if (program === undefined) {
    return container === "kube-addon-manager" ? [...command, ...extra("addon-manager", input)] : [...command];
  }
  const start = command.indexOf("/hyperkube");
  if (start < 0) throw new Error(`container ${container} of the bundled manifests does not run /hyperkube`);
  const own = fromArguments(command.slice(start + 2));
  // The second controller-manager runs one controller: what it has no flag for, and its ports, are the first one's.
  const isSecond = container === "node-ipam";
  const said = Object.entries(extraArgsOf(program, input));
  const extraArgs = said.filter(([flag]) => !isSecond || (Object.hasOwn(own, flag) && !flag.endsWith("port")));
  const context = { insecureApi: input.config.insecureApi, isSecond, values };
  const flags = versionFlags(program, own, input.features, Object.fromEntries(extraArgs), context);
  return [...command.slice(0, start), ...input.programs[program], ...toArguments(flags)];
}

function extraArgsOf(program: Program, { extraArgs, features }: RenderInput): Flags {
  const said = extraArgs[program] ?? {};
  return program === "scheduler" ? schedulerCommandArgs(said, features) : said;
}

/** Who answers a probe without credentials is a matter of the version. */
function withHealth(container: Container, { features }: RenderInput): Container {
  const { name, livenessProbe } = container;
  if (!livenessProbe?.httpGet || !isHealthKnown(name)) return container;
  const httpGet = { ...livenessProbe.httpGet, ...features.health[name] };
  return { ...container, livenessProbe: { ...livenessProbe, httpGet } };
}

function isHealthKnown(name: string): name is keyof VersionFeatures["health"] {
  return name === "apiserver" || name === "controller-manager" || name === "scheduler";
}

function withPriority(spec: Pod["spec"], { podPriorities }: VersionFeatures): Pod["spec"] {
  const isKept = ([field]: [string, unknown]): boolean => podPriorities || field !== "priorityClassName";
  return Object.fromEntries(Object.entries(spec).filter(isKept)) as Pod["spec"];
}

/**
 * Files of the host are not for confined containers. Said of the pod, so that its sandbox has the same type: until v1.7
 * kubeadm did so for etcd; it now wants SELinux to be permissive.
 */
function withSelinux(spec: Pod["spec"], { selinux }: RenderInput): Pod["spec"] {
  return selinux ? { ...spec, securityContext: { seLinuxOptions: { type: "spc_t" } } } : spec;
}

/** Without single files of the host that no command names: nobody reads them in this version, or with these options. */
function withUsedFiles(spec: Pod["spec"]): Pod["spec"] {
  const files = new Set(spec.volumes?.filter(({ hostPath }) => hostPath?.type === "File").map(({ name }) => name));
  const containers = spec.containers.map((container) => {
    const words = container.command ?? [];
    // What a configuration file names is read, too.
    const isNamed = (path: string): boolean =>
      words.some((word) => word.endsWith(`=${path}`) || word.startsWith("--config="));
    if (!container.volumeMounts) return container;
    const volumeMounts = container.volumeMounts.filter(({ name, mountPath }) => !files.has(name) || isNamed(mountPath));
    return { ...container, volumeMounts };
  });
  if (!spec.volumes) return { ...spec, containers };
  const mounted = new Set(containers.flatMap(({ volumeMounts }) => volumeMounts ?? []).map(({ name }) => name));
  return { ...spec, containers, volumes: spec.volumes.filter(({ name }) => mounted.has(name)) };
}

function extra(component: PatchableComponent, input: RenderInput): string[] {
  return toArguments(input.extraArgs[component] ?? {});
}

function withInputs(pod: Pod, input: RenderInput): Pod {
  const digest = input.inputs[pod.metadata.name];
  if (digest === undefined) return pod;
  const annotations = { ...pod.metadata.annotations, [inputsAnnotation]: digest };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

/** By it a later run knows what the manifest was made with, whatever patches have made of its probes. */
function withStartupMark(pod: Pod, { startupSeconds }: RenderInput): Pod {
  if (pod.spec.containers.every(({ livenessProbe }) => livenessProbe === undefined)) return pod;
  const annotations = { ...pod.metadata.annotations, [startupAnnotation]: String(startupSeconds) };
  return { ...pod, metadata: { ...pod.metadata, annotations } };
}

function patched(pod: Pod, patches: readonly Patch[]): Pod {
  const mine = patches.filter(
    ({ target }) => Object.hasOwn(patchedPods, target) && patchedPods[target] === pod.metadata.name,
  );
  const result = podSchema.safeParse(mine.reduce<unknown>(applyPatch, pod));
  if (result.success && result.data.metadata.name === pod.metadata.name) return result.data;
  const [issue] = result.error?.issues ?? [];
  throw new TsdeployError("usage", {
    code: "PATCH_INVALID",
    message:
      `${mine.map(({ file }) => file).join(", ")}: pod ${pod.metadata.name} is no longer itself: ` +
      (issue ? `${issue.path.join(".")}: ${issue.message}` : "its name may not change"),
    hint: "Take that change out of the patch.",
  });
}

function withDigest(pod: Pod): Pod {
  const all = { ...pod.metadata.labels, [labels.spec]: manifestDigest(pod) };
  return { ...pod, metadata: { ...pod.metadata, labels: all } };
}

function manifestDigest(pod: Pod): string {
  const others = Object.entries(pod.metadata.labels ?? {}).filter(([key]) => key !== labels.spec);
  return specDigest({ ...pod, metadata: { ...pod.metadata, labels: Object.fromEntries(others) } });
}
