import type { Duplex } from "node:stream";
import { createSecureContext } from "node:tls";
import { type DataOrFile, readKubeconfig } from "../kubernetes/kubeconfig.js";
import { defined } from "../model/defined.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import { KubernetesClient, type KubernetesClientOptions } from "./kubernetesClient.js";

export interface FromKubeconfigOptions extends Pick<KubernetesClientOptions, "timeoutMs"> {
  /** A raw byte stream to the API server that the kubeconfig names. */
  readonly connect: (host: string, port: number) => Promise<Duplex>;
  /** Where the text comes from, for messages. */
  readonly path: string;
  readonly text: string;
  /** Default: the current one. */
  readonly context?: string;
  /** Default: the one that the kubeconfig names. */
  readonly server?: string;
  /** Reads files that the kubeconfig names, such as a kubelet's rotated certificate; told where `connect` will lead. */
  readonly readFile: (path: string, host: string, port: number) => Promise<string>;
}

/**
 * A client with a kubeconfig's server, CA and credentials.
 *
 * @throws TsdeployError `KUBECONFIG_BROKEN`, without any of the content
 */
export async function fromKubeconfig(options: FromKubeconfigOptions): Promise<KubernetesClient> {
  try {
    const { ca, certificate, key, token, ...view } = readKubeconfig(options.text, options.context);
    const server = options.server ?? view.server;
    const url = new URL(server);
    const host = url.hostname;
    const port = url.port === "" ? 443 : Number(url.port);
    const read = async (value: DataOrFile | undefined): Promise<string | undefined> => {
      if (value === undefined) return undefined;
      return "data" in value ? value.data : options.readFile(value.file, host, port);
    };
    const [caPem, certPem, keyPem, tokenText] = await Promise.all([ca, certificate, key, token].map(read));
    if (caPem === undefined) throw new Error("names no CA");
    checkReadable(certPem, keyPem);
    return new KubernetesClient({
      server,
      connect: () => options.connect(host, port),
      caPem,
      ...defined({ timeoutMs: options.timeoutMs }),
      ...credentialsOf(certPem, keyPem, tokenText),
    });
  } catch (error) {
    const message = `${options.path} ${messageOf(error)}`;
    const hint = "Correct that file, or put one from a backup in its place.";
    throw new TsdeployError("environment", { code: "KUBECONFIG_BROKEN", message, hint }, { cause: error });
  }
}

/** @throws Error if a connection could not be made with them, as with a file that was cut off */
function checkReadable(cert: string | undefined, key: string | undefined): void {
  if (cert === undefined || key === undefined) return;
  try {
    createSecureContext({ cert, key });
  } catch (error) {
    throw new Error(`names a certificate and key that cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

function credentialsOf(
  certificate: string | undefined,
  privateKey: string | undefined,
  token: string | undefined,
): Pick<KubernetesClientOptions, "credentials"> {
  if (certificate !== undefined && privateKey !== undefined) {
    return { credentials: { keyPair: { certificate, privateKey } } };
  }
  return token === undefined ? {} : { credentials: { token: token.trim() } };
}
