import type { KubernetesClient } from "../api/kubernetesClient.js";
import { parseAcceptedOptions } from "../config/acceptedOptions.js";
import { masterTokenObjects } from "../kubernetes/masterToken.js";
import { checkSeveralMasters, featuresOf } from "../kubernetes/versions.js";
import { TsdeployError } from "../model/errors.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { apiserverPort, paths } from "../model/hostLayout.js";
import { handOverOf, sealHandOver } from "../pki/handOver.js";
import { formatMasterToken, parseJoinToken, withKey } from "../pki/joinToken.js";
import { notAMaster } from "./hostApi.js";
import { endToken, type MadeToken, makeToken } from "./joinTokens.js";

/** How long a token for masters is good, if nobody says less: the cluster's keys can be had by it. */
export const masterTokenMs = 2 * 60 * 60 * 1000;

/**
 * Makes a token by which a host can become a further master: what masters share lies in the cluster from now on,
 * encrypted by a key that the token alone has, as with kubeadm's `--upload-certs`; and both end together.
 *
 * @param files of the master's host
 * @throws TsdeployError `conflict`, `ONE_MASTER`, of a cluster that was not made to have several; `NOT_A_MASTER`
 */
export async function makeMasterToken(
  api: KubernetesClient,
  files: ReadonlyMap<string, ExistingFile>,
  about: { readonly expiresMs: number; readonly description: string },
  signal: AbortSignal,
): Promise<MadeToken> {
  const handOver = handOverOf(files);
  const options = files.get(paths.options)?.content;
  if (options === undefined) throw notAMaster();
  const { k8sVersion, severalMasters, ip } = parseAcceptedOptions(options);
  const features = featuresOf(k8sVersion);
  checkSeveralMasters({ severalMasters: true }, features);
  if (!severalMasters) throw oneMaster();
  const made = await makeToken(api, about, signal);
  try {
    const token = withKey(parseJoinToken(made.joinToken));
    const secretPath = `/api/v1/namespaces/kube-system/secrets/bootstrap-token-${token.id}`;
    const { metadata } = await api.get<{ metadata: { uid: string } }>(secretPath, { signal });
    const sealed = sealHandOver(handOver, token);
    // RBAC is older than clusters that can have several masters.
    for (const object of masterTokenObjects(token.id, sealed, metadata.uid, features.apis.rbac ?? "")) {
      await api.create(object, { signal });
    }
    // This master is one that lives; what leads to all of them leads to no etcd.
    const apiserver = `https://${ip[0]}:${apiserverPort}`;
    return { ...made, apiserver, joinToken: formatMasterToken(token) };
  } catch (error) {
    // What belongs to it goes with it.
    await endToken(api, made.id, AbortSignal.timeout(10_000)).catch(() => undefined);
    throw error;
  }
}

function oneMaster(): TsdeployError {
  return new TsdeployError("conflict", {
    code: "ONE_MASTER",
    message: "this cluster was made for one master: its etcd listens to no peers",
    hint:
      "Run `tsdeploy master --several-masters` here first: etcd and the control plane start anew once; then `tsdeploy " +
      "worker` again on each worker, so that it reaches any master.",
  });
}
