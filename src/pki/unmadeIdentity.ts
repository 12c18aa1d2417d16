import type { HostFile } from "../model/hostFile.js";
import { paths } from "../model/hostLayout.js";
import { tokenFilePaths } from "./tokenFiles.js";
import { authorities, type IdentityNames, wantedKubeconfigs, wantedPairs } from "./wantedCertificates.js";

/** The files of an identity that nobody has made, for a plan that nobody applies: paths and modes, and no content. */
export function unmadeIdentity(names: IdentityNames): HostFile[] {
  const pairs = [...Object.values(authorities), ...Object.values(wantedPairs(names))].map(({ path }) => path);
  const kubeconfigs = Object.values(wantedKubeconfigs(names.nodeName)).map(({ path }) => path);
  const privateFiles = [...pairs.map((path) => `${path}.key`), `${paths.pki}/sa.key`, ...kubeconfigs];
  const publicFiles = [...pairs.map((path) => `${path}.crt`), `${paths.pki}/sa.pub`];
  const { knownTokens, abacPolicy, basicAuth } = tokenFilePaths;
  if (names.tokenFile) {
    privateFiles.push(knownTokens);
    publicFiles.push(abacPolicy);
  }
  if (names.basicAuth) privateFiles.push(basicAuth);
  return [
    ...privateFiles.map((path): HostFile => ({ path, mode: 0o600, content: "", secret: true })),
    ...publicFiles.map((path): HostFile => ({ path, mode: 0o644, content: "", secret: true })),
  ];
}
