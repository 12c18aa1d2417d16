import { toArguments, versionFlags } from "../kubernetes/commandFlags.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import type { ObservedHost } from "../model/hostFacts.js";
import { etcdPort, paths } from "../model/hostLayout.js";
import type { ExtraArgs, NodeOptions } from "../model/options.js";
import { hasSecurityOption } from "../model/securityOptions.js";
import { withSpecLabel } from "../model/specDigest.js";
import { containerLabels } from "./containerLabels.js";

export interface EtcdInput {
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly options: Pick<NodeOptions, "restartPolicy">;
  readonly image: string;
  readonly extraArgs: ExtraArgs;
}

const peerPort = 2380;

/** systemd's own hard limit for programs. */
const openFiles = 524_288;

/** etcd on loopback alone, and even there only for client certificates: any pod on the host's network reaches it. */
export function etcdContainer(input: EtcdInput): ContainerSpec {
  const pki = `${paths.pki}/etcd`;
  const client = `https://127.0.0.1:${etcdPort}`;
  const peer = `https://127.0.0.1:${peerPort}`;
  const { architecture } = input.observed.engine.version;
  const flags = {
    name: "default",
    "data-dir": paths.etcd,
    "advertise-client-urls": client,
    "listen-client-urls": client,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": `default=${peer}`,
    "listen-peer-urls": peer,
    "cert-file": `${pki}/server.crt`,
    "key-file": `${pki}/server.key`,
    "client-cert-auth": "true",
    "trusted-ca-file": `${pki}/ca.crt`,
    "peer-cert-file": `${pki}/server.crt`,
    "peer-key-file": `${pki}/server.key`,
    "peer-client-cert-auth": "true",
    "peer-trusted-ca-file": `${pki}/ca.crt`,
  };
  return withSpecLabel({
    component: "etcd",
    image: input.image,
    command: ["etcd", ...toArguments(versionFlags("etcd", flags, input.features, input.extraArgs.etcd))],
    // Before 3.5 etcd ran elsewhere only with this variable; later ones do not look.
    ...(architecture !== "amd64" && { env: { ETCD_UNSUPPORTED_ARCH: architecture } }),
    binds: [
      { source: paths.etcd, target: paths.etcd },
      { source: pki, target: pki, readOnly: true },
    ],
    labels: containerLabels("master", "etcd", input.config),
    hostPid: false,
    privileged: false,
    // Its folders are the host's, and to label them anew would be to change the owner's files.
    ...(hasSecurityOption(input.observed.engine.info, "selinux") && { unlabelled: true }),
    hostCgroupNamespace: false,
    // start.sh does the same for what it starts. Not more than Docker gives: it may lack the right to.
    openFiles: Math.min(openFiles, input.observed.host.openFiles ?? openFiles),
    restartPolicy: input.options.restartPolicy,
    stopGraceSeconds: 10,
  });
}
