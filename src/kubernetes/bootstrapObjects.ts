import { addonNames } from "../model/addonNames.js";
import { familiesText } from "../model/addressRanges.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { TsdeployError } from "../model/errors.js";
import type { JoinToken } from "../model/identity.js";
import { publicApiserver } from "./networks.js";
import type { KubernetesObject } from "../model/kubernetesObject.js";
import { networkBackends, networkNames } from "../model/podNetwork.js";
import * as z from "../model/zod.js";
import { bootstrapGroup, clusterInfo } from "./clusterInfo.js";
import { configurationMapNames, configurationMaps } from "./configurationMaps.js";
import { type RbacObjects, rbacObjects, type Subject } from "./rbacObjects.js";
import type { VersionFeatures } from "./versions.js";

/** Where nodes and their administrators read what every node has to know. */
export const clusterConfigPath = "/api/v1/namespaces/kube-system/configmaps/tsdeploy";

/**
 * Objects that let workers join, in the order in which they are to be made. Where nodes have their tokens from a
 * file, that is the cluster's configuration alone.
 *
 * @param tokens those that cluster-info is signed for right away; the controller-manager signs for the others
 */
export function bootstrapObjects(
  config: ClusterConfig,
  caPem: string,
  features: VersionFeatures,
  tokens: readonly Pick<JoinToken, "id" | "secret">[] = [],
): KubernetesObject[] {
  const { rbac: apiVersion } = features.apis;
  // No API server made the namespace by itself before v1.6.
  if (apiVersion === undefined) return [namespace("kube-system"), clusterConfigMap(config)];
  const rbac = rbacObjects(apiVersion);
  const bootstrappers = { kind: "Group", name: features.tokenGroups ? bootstrapGroup : "system:bootstrappers" };
  const nodes = { kind: "Group", name: "system:nodes" };
  const anonymous = { kind: "User", name: "system:anonymous" };
  return [
    clusterInfo(publicApiserver(config), caPem, tokens),
    rbac.role("kube-public", "tsdeploy:cluster-info", [
      { apiGroups: [""], resources: ["configmaps"], resourceNames: ["cluster-info"], verbs: ["get"] },
    ]),
    rbac.bind({ kind: "Role", name: "tsdeploy:cluster-info" }, "tsdeploy:cluster-info", [anonymous], "kube-public"),

    clusterConfigMap(config),
    ...configurationMaps(config, features),
    rbac.role("kube-system", "tsdeploy:cluster-config", [
      {
        apiGroups: [""],
        resources: ["configmaps"],
        resourceNames: ["tsdeploy", ...configurationMapNames],
        verbs: ["get"],
      },
    ]),
    rbac.bind(
      { kind: "Role", name: "tsdeploy:cluster-config" },
      "tsdeploy:cluster-config",
      [bootstrappers, nodes],
      "kube-system",
    ),

    rbac.clusterBind("system:node-bootstrapper", "tsdeploy:kubelet-bootstrap", [bootstrappers]),
    ...approvals(rbac, features, bootstrappers, nodes),
    rbac.clusterBind("system:node-proxier", "tsdeploy:node-proxier", [nodes]),

    // Confined to the node's own object by the NodeRestriction admission plugin.
    rbac.clusterRole("tsdeploy:node-delete-self", [{ apiGroups: [""], resources: ["nodes"], verbs: ["delete"] }]),
    rbac.clusterBind("tsdeploy:node-delete-self", "tsdeploy:node-delete-self", [nodes]),
    ...(config.severalMasters === true
      ? [
          rbac.role("default", "tsdeploy:masters", [
            { apiGroups: [""], resources: ["endpoints"], resourceNames: ["kubernetes"], verbs: ["get", "list", "watch"] },
          ]),
          rbac.bind({ kind: "Role", name: "tsdeploy:masters" }, "tsdeploy:masters", [bootstrappers, nodes], "default"),
        ]
      : []),
    // Who joins sees first whether a node of this name is there.
    rbac.clusterRole("tsdeploy:get-nodes", [{ apiGroups: [""], resources: ["nodes"], verbs: ["get"] }]),
    rbac.clusterBind("tsdeploy:get-nodes", "tsdeploy:get-nodes", [bootstrappers]),
  ];
}

/** Who gets a certificate without anybody's looking: a first one, and the node's own anew. */
function approvals(
  rbac: RbacObjects,
  { csrApproval }: VersionFeatures,
  bootstrappers: Subject,
  nodes: Subject,
): KubernetesObject[] {
  if (csrApproval === "none" || csrApproval === "flag") return [];
  const group = "certificates.k8s.io";
  const resource = "certificatesigningrequests";
  const roleOf = (kind: string): string => `system:${group}:${resource}:${kind}`;
  const mayCreate = (kind: string): KubernetesObject =>
    rbac.clusterRole(roleOf(kind), [{ apiGroups: [group], resources: [`${resource}/${kind}`], verbs: ["create"] }]);
  return [
    ...(csrApproval === "roles-of-ours" ? [mayCreate("nodeclient"), mayCreate("selfnodeclient")] : []),
    rbac.clusterBind(roleOf("nodeclient"), "tsdeploy:node-autoapprove-bootstrap", [bootstrappers]),
    rbac.clusterBind(roleOf("selfnodeclient"), "tsdeploy:node-autoapprove-certificate-rotation", [nodes]),
  ];
}

function namespace(name: string): KubernetesObject {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}

/** Ranges are text there, as they are for an option. */
function asWritten(config: ClusterConfig): unknown {
  return { ...config, podCidr: familiesText(config.podCidr), serviceCidr: familiesText(config.serviceCidr) };
}

/** ConfigMap `kube-system/tsdeploy`. */
export function clusterConfigMap(config: ClusterConfig): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: "tsdeploy", namespace: "kube-system" },
    data: { "cluster.json": `${JSON.stringify(asWritten(config), null, 2)}\n` },
  };
}

const rangesSchema = z
  .string()
  .transform((text) => text.split(","))
  .pipe(z.union([z.tuple([z.cidrv4()]), z.tuple([z.cidrv4(), z.cidrv6()])]));
const extraArgs = z.record(z.string(), z.string()).exactOptional();
const clusterConfigSchema: z.ZodType<ClusterConfig> = z.object({
  clusterName: z.string(),
  version: z.string().regex(/^v\d+\.\d+\.\d+/),
  image: z.string(),
  registry: z.string().exactOptional(),
  apiserver: z.url({ protocol: /^https$/ }),
  controlPlaneEndpoint: z.string().exactOptional(),
  podCidr: rangesSchema,
  nodeCidrMaskSize: z.array(z.number().int()).exactOptional(),
  serviceCidr: rangesSchema,
  clusterDomain: z.string(),
  clusterDns: z.ipv4(),
  network: z.enum(networkNames),
  // Clusters of earlier releases of tsdeploy do not say.
  networkBackend: z.enum(networkBackends).default("vxlan"),
  networkMtu: z.number().int().exactOptional(),
  networkDirectRouting: z.boolean().exactOptional(),
  insecureApi: z.boolean().default(false),
  proxyMode: z.enum(["iptables", "ipvs", "nftables"]).default("iptables"),
  addons: z.array(z.enum(addonNames)).default([]),
  dnsFromImage: z.boolean().exactOptional(),
  severalMasters: z.boolean().exactOptional(),
  extraArgs: z.object({
    etcd: extraArgs,
    apiserver: extraArgs,
    "controller-manager": extraArgs,
    scheduler: extraArgs,
    kubelet: extraArgs,
    proxy: extraArgs,
    "addon-manager": extraArgs,
  }),
});

/**
 * Reads ConfigMap `kube-system/tsdeploy`.
 *
 * @throws TsdeployError `NOT_TSDEPLOY` (conflict) if it is not as we write it
 */
export function parseClusterConfig(configMap: unknown): ClusterConfig {
  const text = z.object({ data: z.object({ "cluster.json": z.string() }) }).safeParse(configMap);
  const config = clusterConfigSchema.safeParse(text.success ? parseJson(text.data.data["cluster.json"]) : undefined);
  if (config.success) return config.data;
  const fields = config.error.issues.map((issue) => issue.path.join(".")).filter((path) => path !== "");
  const what = fields.length > 0 ? `: ${fields.join(", ")}` : "";
  throw new TsdeployError("conflict", {
    code: "NOT_TSDEPLOY",
    message: `the cluster's ConfigMap kube-system/tsdeploy is not one that this tsdeploy understands${what}`,
    hint: "Use the same release of tsdeploy as on the master, and run `tsdeploy master` there again.",
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
