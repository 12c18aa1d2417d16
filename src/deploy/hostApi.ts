import { EarlyConnection } from "../api/earlyConnection.js";
import { fromKubeconfig, type FromKubeconfigOptions } from "../api/fromKubeconfig.js";
import { KubernetesClient } from "../api/kubernetesClient.js";
import type { Helper } from "../host/helperSession.js";
import { TsdeployError } from "../model/errors.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { apiserverPort, helperHostRoot, paths } from "../model/hostLayout.js";
import type { ClusterIdentity } from "../model/identity.js";
import type { NodeOptions } from "../model/options.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";

/** A link's absolute target is meant from the host's root. */
const readThroughLinks = `file=$1 host=\${HOST_ROOT:-${helperHostRoot}}
while [[ -L $host$file ]]; do
  link=$(readlink "$host$file")
  if [[ $link == /* ]]; then file=$link; else file=\${file%/*}/$link; fi
done
cat -- "$host$file"`;

/** The API server of a master, as its administrator, through its own loopback. */
export function masterApi(
  helper: Helper,
  identity: ClusterIdentity,
  { timeoutMs }: Pick<NodeOptions, "timeoutMs">,
): KubernetesClient {
  return new KubernetesClient({
    server: `https://127.0.0.1:${apiserverPort}`,
    connect: () => helper.openTcp("127.0.0.1", apiserverPort),
    caPem: identity.ca.certificate,
    credentials: { keyPair: identity.admin },
    timeoutMs: requestTimeoutMs(timeoutMs),
  });
}

/**
 * The API server as a node's kubeconfig names it, through the node's network.
 *
 * @returns undefined if the node has no such kubeconfig
 */
export async function apiByKubeconfig(
  helper: Pick<Helper, "run" | "openTcp">,
  files: ReadonlyMap<string, ExistingFile>,
  path: string = paths.kubeletConf,
  more: Pick<FromKubeconfigOptions, "timeoutMs" | "server"> = {},
): Promise<KubernetesClient | undefined> {
  const file = files.get(path);
  if (!file) return undefined;
  // The kubelet's certificate and its key are in one.
  const read = new Map<string, Promise<string>>();
  const readFile = async (name: string): Promise<string> => {
    const { stdout } = await helper.run(readThroughLinks, [name]);
    return stdout.toString();
  };
  let early: EarlyConnection | undefined;
  try {
    return await fromKubeconfig({
      ...more,
      path: `${path} on the host`,
      text: file.content,
      connect: async (host, port) => early?.connect() ?? helper.openTcp(host, port),
      // The kubelet's own certificate lies outside /etc/kubernetes and is replaced by itself.
      readFile: async (name, host, port) => {
        // Reading takes as long as connecting.
        early ??= new EarlyConnection(() => helper.openTcp(host, port));
        const content = read.get(name) ?? readFile(name);
        read.set(name, content);
        return content;
      },
    });
  } catch (error) {
    early?.drop();
    throw error;
  }
}

/**
 * An administrator's client on a master.
 *
 * @param waitMs of a run that waits so long for things; without it an answer may take 10 s
 * @throws TsdeployError `NOT_A_MASTER`
 */
export async function adminApi(
  helper: Helper,
  files: ReadonlyMap<string, ExistingFile>,
  waitMs = 0,
): Promise<KubernetesClient> {
  const timeoutMs = requestTimeoutMs(waitMs);
  return (await apiByKubeconfig(helper, files, paths.adminConf, { timeoutMs })) ?? refuse();
}

/** The administrator's kubeconfig. @throws TsdeployError `NOT_A_MASTER` */
export function adminConfOf(files: ReadonlyMap<string, ExistingFile>): string {
  return files.get(paths.adminConf)?.content ?? refuse();
}

function refuse(): never {
  throw notAMaster();
}

/** For a host without an administrator's kubeconfig. */
export function notAMaster(): TsdeployError {
  return new TsdeployError("environment", {
    code: "NOT_A_MASTER",
    message: `this host has no ${paths.adminConf}: it is not the master of a cluster`,
    hint: "Say which Docker host is, with --host or --context.",
  });
}
