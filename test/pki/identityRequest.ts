import type { HostFile } from "../../src/model/hostFile.js";
import type { IdentityRequest } from "../../src/pki/makeIdentity.js";

/** A fresh master's request; tests change what they are about. */
export const identityRequest: IdentityRequest = {
  existing: new Map(),
  clusterName: "kubernetes",
  nodeName: "master-1",
  nodeIp: "127.0.0.1",
  serviceIp: "10.96.0.1",
  clusterDomain: "cluster.local",
  extraSans: [],
  tokenFile: false,
  basicAuth: false,
  serviceAccountKey: "ecdsa",
  etcdData: false,
  nowMs: Date.now(),
};

/** Files as the host has them after they were written. */
export function onHost(files: readonly HostFile[]): Map<string, { content: string; mode: number }> {
  return new Map(files.map(({ path, content, mode }) => [path, { content, mode }]));
}
