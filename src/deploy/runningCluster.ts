import type { KubernetesClient } from "../api/kubernetesClient.js";
import { clusterConfigPath, parseClusterConfig } from "../kubernetes/bootstrapObjects.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import type { MasterHost } from "../model/clusterHosts.js";
import { messageOf } from "../model/errors.js";
import { formatJoinToken } from "../pki/joinToken.js";
import type { RunContext } from "../report/runContext.js";
import { fixedTokenOf } from "./fixedToken.js";
import { adminApi } from "./hostApi.js";
import { endToken, makeToken } from "./joinTokens.js";
import { contextOf } from "./manyHosts.js";
import { withHelper } from "./withHelper.js";

/** A cluster whose master runs, as its administrator. */
export interface RunningCluster {
  readonly api: KubernetesClient;
  readonly config: ClusterConfig;
  /** A join token that is good for so long; the same for all that need one at a time. */
  token(lifeMs: number): Promise<string>;
}

/** Opens the cluster by its master's Docker. Tokens that were made are revoked at the end, however it comes. */
export async function withCluster(
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
      let current: { readonly token: Promise<string>; readonly freshUntilMs: number } | undefined;
      const fixed = fixedTokenOf(files);
      const make = async (lifeMs: number): Promise<string> => {
        if (fixed) return formatJoinToken(fixed.token);
        const expiresMs = (await helper.clockMs()) + lifeMs;
        const { id, joinToken } = await makeToken(api, { expiresMs, description: "made by tsdeploy up" }, signal);
        made.push(id);
        return joinToken;
      };
      try {
        const config = parseClusterConfig(await api.get(clusterConfigPath, { signal }));
        await use({
          api,
          config,
          token: (lifeMs) => {
            // Who gets it late still has half of its life.
            if (!current || performance.now() > current.freshUntilMs) {
              current = { token: make(2 * lifeMs), freshUntilMs: performance.now() + lifeMs };
            }
            return current.token;
          },
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

async function revokeAll(api: KubernetesClient, ids: string[], signal: AbortSignal): Promise<void> {
  for (let id = ids.at(-1); id !== undefined; id = ids.at(-1)) {
    await endToken(api, id, signal);
    ids.pop();
  }
}

/** After a failure, or when the person has stopped the run: the connection of before may be of no use. */
async function revokeAnew(host: MasterHost, ids: string[], context: RunContext): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
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
