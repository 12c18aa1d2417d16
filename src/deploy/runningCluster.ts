import type { KubernetesClient } from "../api/kubernetesClient.js";
import { acceptedNode } from "../config/acceptedOptions.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import { namedAddress } from "../kubernetes/networks.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { MasterHost } from "../model/clusterHosts.js";
import { messageOf } from "../model/errors.js";
import { formatJoinToken } from "../pki/joinToken.js";
import type { RunContext } from "../report/runContext.js";
import { fixedTokenOf } from "./fixedToken.js";
import { adminApi } from "./hostApi.js";
import { endToken, type MadeToken, makeToken } from "./joinTokens.js";
import { contextOf } from "./manyHosts.js";
import { makeMasterToken, masterTokenMs } from "./masterTokens.js";
import { withHelper } from "./withHelper.js";

type AboutToken = Parameters<typeof makeToken>[1];

/** A cluster of which a master runs, as its administrator. */
export interface RunningCluster {
  /** The one that runs, and its address. */
  readonly master: MasterHost;
  readonly address: string;
  /** Of that one alone, where `address` leads to any. */
  readonly masterAddress: string;
  readonly api: KubernetesClient;
  readonly config: ClusterConfig;
  /** A join token that is good for so long; the same for all that need one at a time. */
  token(lifeMs: number): Promise<string>;
  /** The same for masters; for two hours at most. */
  masterToken(lifeMs: number): Promise<string>;
}

/**
 * Opens the cluster by the Docker of the first master that answers. Tokens that were made are revoked at the end,
 * however it comes.
 */
export async function withCluster(
  masters: readonly [MasterHost, ...MasterHost[]],
  context: RunContext,
  use: (cluster: RunningCluster) => Promise<void>,
): Promise<void> {
  const opened: MasterHost[] = [];
  for (const host of masters) {
    try {
      await withClusterOf(host, context, (cluster) => {
        opened.push(host);
        return use(cluster);
      });
      return;
    } catch (error) {
      if (opened.length > 0 || context.signal.aborted || host === masters.at(-1)) throw error;
    }
  }
}

async function withClusterOf(
  host: MasterHost,
  context: RunContext,
  use: (cluster: RunningCluster) => Promise<void>,
): Promise<void> {
  const own = contextOf(host, context);
  const made: string[] = [];
  try {
    await withHelper(host.options, own, async ({ helper }) => {
      const files = await helper.readFiles();
      const api = await adminApi(helper, files, host.options.timeoutMs);
      const { signal } = context;
      const fixed = fixedTokenOf(files);
      const makeWith = async (lifeMs: number, make: (about: AboutToken) => Promise<MadeToken>): Promise<string> => {
        const expiresMs = (await helper.clockMs()) + lifeMs;
        const { id, joinToken } = await make({ expiresMs, description: "made by tsdeploy up" });
        made.push(id);
        return joinToken;
      };
      try {
        const config = parseClusterConfig(await api.get(clusterConfigPath, { signal }));
        await use({
          master: host,
          address: namedAddress(api.server),
          masterAddress: acceptedNode(files)?.ip[0] ?? new URL(config.apiserver).hostname,
          api,
          config,
          token: keptFresh((lifeMs) =>
            fixed
              ? Promise.resolve(formatJoinToken(fixed.token))
              : makeWith(lifeMs, (about) => makeToken(api, about, signal)),
          ),
          masterToken: keptFresh((lifeMs) =>
            makeWith(Math.min(lifeMs, masterTokenMs), (about) => makeMasterToken(api, files, about, signal)),
          ),
        });
        if (!signal.aborted) await revokeAll(api, made, signal);
      } finally {
        api.close();
      }
    });
  } finally {
    if (made.length > 0) await revokeAnew(host, made, own);
  }
}

/** Makes another one when the last has become old: who gets it late still has half of its life. */
function keptFresh(make: (lifeMs: number) => Promise<string>): (lifeMs: number) => Promise<string> {
  let current: { readonly token: Promise<string>; readonly freshUntilMs: number } | undefined;
  return (lifeMs) => {
    if (!current || performance.now() > current.freshUntilMs) {
      current = { token: make(2 * lifeMs), freshUntilMs: performance.now() + lifeMs };
    }
    return current.token;
  };
}

async function revokeAll(api: KubernetesClient, ids: string[], signal: AbortSignal): Promise<void> {
  for (let id = ids.at(-1); id !== undefined; id = ids.at(-1)) {
    await endToken(api, id, signal);
    ids.pop();
  }
}

/** After a failure, or when the person has stopped the run: the connection of before may be of no use. */
async function revokeAnew(host: MasterHost, ids: string[], context: RunContext): Promise<void> {
  const signal = AbortSignal.timeout(host.options.timeoutMs);
  try {
    await withHelper(host.options, { ...context, signal }, async ({ helper }) => {
      const api = await adminApi(helper, await helper.readFiles());
      try {
        await revokeAll(api, ids, signal);
      } finally {
        api.close();
      }
    });
  } catch (error) {
    const lines = ids.map((id) => `\`tsdeploy token revoke ${id}\``).join(", ");
    context.report({ kind: "warning", message: `join tokens of this run could not be revoked (${lines}): ${messageOf(error)}` });
  }
}
