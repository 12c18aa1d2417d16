import { readKubeconfig } from "../kubernetes/kubeconfig.js";
import { paths } from "../model/hostLayout.js";
import { readCertificate, subjectOf } from "./readCertificate.js";

export interface CertificateExpiry {
  /** The file without folder and `.crt`: `apiserver`, `etcd/server`, `admin.conf`, … */
  readonly name: string;
  readonly path: string;
  /** Milliseconds since 1970. */
  readonly notAfterMs: number;
  readonly subject: string;
}

/**
 * When each certificate among these files ends, those inside kubeconfigs too, soonest first; not unreadable ones.
 *
 * @param files absolute host path -> file
 */
export function certificateExpiries(files: ReadonlyMap<string, { readonly content: string }>): CertificateExpiry[] {
  const expiries: CertificateExpiry[] = [];
  for (const [path, { content }] of files) {
    const pem = certificateIn(path, content);
    if (pem === undefined) continue;
    try {
      const certificate = readCertificate(pem);
      const folder = path.startsWith(`${paths.pki}/`) ? paths.pki : paths.kubernetes;
      expiries.push({
        name: path.slice(folder.length + 1).replace(/\.crt$/, ""),
        path,
        notAfterMs: Date.parse(certificate.validTo),
        subject: subjectOf(certificate),
      });
    } catch {
      continue;
    }
  }
  return expiries.sort((a, b) => a.notAfterMs - b.notAfterMs);
}

function certificateIn(path: string, content: string): string | undefined {
  if (path.endsWith(".crt")) return content;
  if (!path.endsWith(".conf")) return undefined;
  try {
    const { certificate } = readKubeconfig(content);
    return certificate && "data" in certificate ? certificate.data : undefined;
  } catch {
    return undefined;
  }
}
