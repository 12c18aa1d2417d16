import { parseAcceptedOptions } from "../config/acceptedOptions.js";
import { readKubeconfig } from "../kubernetes/kubeconfig.js";
import { featuresOf } from "../kubernetes/versions.js";
import { TsdeployError } from "../model/errors.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { paths } from "../model/hostLayout.js";
import type { JoinToken } from "../model/identity.js";
import type { TokenCreateOptions, TokenRevokeOptions } from "../model/options.js";
import { formatJoinToken } from "../pki/joinToken.js";
import { fixedJoinToken, tokenFilePaths } from "../pki/tokenFiles.js";
import type { CommandResult } from "../report/events.js";

/** The one join token of a cluster whose API server reads tokens from a file, once, when it starts. */
export interface FixedToken {
  readonly version: string;
  /** `https://10.0.0.5:6443` */
  readonly apiserver: string;
  readonly token: JoinToken;
}

/**
 * The fixed token of the master with these files.
 *
 * @returns undefined for versions that make tokens in the cluster, and for hosts that are no master
 * @throws TsdeployError `TOKEN_MISSING` (conflict) if the master's files hold none
 */
export function fixedTokenOf(files: ReadonlyMap<string, ExistingFile>): FixedToken | undefined {
  const [options, adminConf] = [paths.options, paths.adminConf].map((path) => files.get(path)?.content);
  if (options === undefined || adminConf === undefined) return undefined;
  const { k8sVersion: version } = parseAcceptedOptions(options);
  if (featuresOf(version).nodeCredentials !== "token-file") return undefined;
  const knownTokens = files.get(tokenFilePaths.knownTokens)?.content ?? "";
  const caPem = files.get(`${paths.pki}/ca.crt`)?.content;
  const token = caPem === undefined ? undefined : fixedJoinToken(knownTokens, caPem);
  if (token) return { version, apiserver: readKubeconfig(adminConf).server, token };
  throw new TsdeployError("conflict", {
    code: "TOKEN_MISSING",
    message: `${tokenFilePaths.knownTokens} has no token of user kubelet that a join token can be made of`,
    hint: "Run `tsdeploy master` there again: it makes what is missing, and says what is wrong.",
  });
}

/** `token create`: nothing is made. @throws TsdeployError of kind usage, `TOKEN_FIXED`, if it is to end */
export function describeFixedToken(
  { version, apiserver, token }: FixedToken,
  options: Pick<TokenCreateOptions, "given">,
): CommandResult & { readonly note: string } {
  if (options.given.has("tokenTtl")) {
    throw new TsdeployError("usage", {
      code: "TOKEN_FIXED",
      message: `a join token of Kubernetes ${version} cannot end by itself: there is one, in ${tokenFilePaths.knownTokens}`,
      hint: "Leave --ttl (tokenTtl) out; `tsdeploy token revoke` says how to replace the token.",
    });
  }
  const note = `Kubernetes ${version} has one join token for all workers: it does not end, and they stay nodes by it.`;
  const joinToken = formatJoinToken(token);
  const joinCommand = `tsdeploy worker --master ${new URL(apiserver).hostname} --token ${joinToken}`;
  return { data: { id: token.id, token: joinToken, expires: null, joinCommand, note }, text: joinCommand, note };
}

/** `token list`: without the secret. */
export function listFixedToken({ token: { id } }: FixedToken): CommandResult {
  const description = `all workers', in ${tokenFilePaths.knownTokens}`;
  return {
    data: { tokens: [{ id, expires: null, description }] },
    text: ["ID      ENDS                  FROM", `${id}  ${"never ends".padEnd(20)}  ${description}`].join("\n"),
  };
}

/** `token revoke`: @throws TsdeployError `TOKEN_FIXED`, or `NO_SUCH_TOKEN` (usage) for another one than it has */
export function refuseToRevoke({ version, token }: FixedToken, options: Pick<TokenRevokeOptions, "id">): never {
  const id = options.id.slice(0, 6);
  if (id !== token.id) throw noSuchToken(id);
  throw new TsdeployError("conflict", {
    code: "TOKEN_FIXED",
    message: `the join token of Kubernetes ${version} cannot be revoked: all workers are nodes by it`,
    hint:
      `To replace it, remove ${tokenFilePaths.knownTokens} on the master, run \`tsdeploy master\` again, and then ` +
      "the line that `tsdeploy token create` prints on each worker.",
  });
}

/** For an id that no token has. */
export function noSuchToken(id: string): TsdeployError {
  return new TsdeployError("usage", {
    code: "NO_SUCH_TOKEN",
    message: `the cluster has no join token with the id ${id}`,
    hint: "See `tsdeploy token list`.",
  });
}
