import type { KubernetesClient } from "../api/kubernetesClient.js";
import {
  describeFixedToken,
  type FixedToken,
  fixedTokenOf,
  listFixedToken,
  refuseToRevoke,
} from "../deploy/fixedToken.js";
import { adminApi } from "../deploy/hostApi.js";
import { makeToken, revokeToken } from "../deploy/joinTokens.js";
import { makeMasterToken, masterTokenMs } from "../deploy/masterTokens.js";
import { withHelper } from "../deploy/withHelper.js";
import type { Helper } from "../host/helperSession.js";
import { namedAddress } from "../kubernetes/networks.js";
import type { ExistingFile } from "../model/hostFacts.js";
import type { TokenCreateOptions, TokenListOptions, TokenRevokeOptions } from "../model/options.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";

interface TokenSecret {
  readonly metadata: { readonly name: string };
  readonly type?: string;
  readonly data?: Readonly<Record<string, string>>;
}

const workerTokenMs = 24 * 60 * 60 * 1000;

/** `tsdeploy token create`: a join token, and the line to run on a worker. */
export async function tokenCreate(options: TokenCreateOptions, context: RunContext): Promise<CommandResult> {
  return onMaster(options, context, async ({ api, fixed, helper, files }) => {
    const isMaster = options.role === "master";
    if (fixed && !isMaster) {
      const { note, ...result } = describeFixedToken(fixed, options);
      context.report({ kind: "notice", message: note });
      return result;
    }
    // It is by the master's clock that the token ends.
    const expiresMs = (await helper.clockMs()) + (options.tokenTtlMs ?? (isMaster ? masterTokenMs : workerTokenMs));
    const about = { expiresMs, description: "made by tsdeploy token create" };
    const { id, joinToken, apiserver } = isMaster
      ? await makeMasterToken(api, files, about, context.signal)
      : await makeToken(api, about, context.signal);
    const joinCommand = `tsdeploy ${isMaster ? "master --join" : "worker --master"} ${namedAddress(apiserver)} --token ${joinToken}`;
    const expires = new Date(expiresMs).toISOString();
    return { data: { id, token: joinToken, expires, joinCommand }, text: joinCommand };
  });
}

/** `tsdeploy token list`: ids and ends; never secrets. */
export async function tokenList(options: TokenListOptions, context: RunContext): Promise<CommandResult> {
  return onMaster(options, context, async ({ api, fixed }) => {
    if (fixed) return listFixedToken(fixed);
    const secrets = await api.list<TokenSecret>("/api/v1/namespaces/kube-system/secrets", {
      signal: context.signal,
      query: { fieldSelector: "type=bootstrap.kubernetes.io/token" },
    });
    const tokens = secrets.map(({ data = {} }) => {
      const text = (key: string): string | undefined =>
        data[key] === undefined ? undefined : Buffer.from(data[key], "base64").toString();
      const expires = text("expiration");
      const description = text("description");
      return { id: text("token-id") ?? "?", ...(expires && { expires }), ...(description && { description }) };
    });
    const lines = tokens.map(({ id, expires = "never ends", description = "" }) =>
      `${id}  ${expires.padEnd(20)}  ${description}`.trimEnd(),
    );
    return { data: { tokens }, text: lines.length === 0 ? "No join tokens." : ["ID      ENDS                  FROM", ...lines].join("\n") };
  });
}

/** `tsdeploy token revoke ID`. */
export async function tokenRevoke(options: TokenRevokeOptions, context: RunContext): Promise<CommandResult> {
  return onMaster(options, context, async ({ api, fixed }) => {
    if (fixed) return refuseToRevoke(fixed, options);
    // Whoever pastes a whole token means its id, and its secret is not for our messages.
    const id = options.id.slice(0, 6);
    await revokeToken(api, id, context.signal);
    return { data: { revoked: id }, text: `Token ${id} is revoked; nodes that have joined stay.` };
  });
}

interface OnMaster {
  readonly api: KubernetesClient;
  readonly fixed: FixedToken | undefined;
  readonly helper: Helper;
  readonly files: ReadonlyMap<string, ExistingFile>;
}

async function onMaster<T>(
  options: TokenListOptions,
  context: RunContext,
  use: (master: OnMaster) => Promise<T>,
): Promise<T> {
  return withHelper(options, context, async ({ helper }) => {
    const files = await helper.readFiles();
    const api = await adminApi(helper, files);
    try {
      return await use({ api, fixed: fixedTokenOf(files), helper, files });
    } finally {
      api.close();
    }
  });
}
