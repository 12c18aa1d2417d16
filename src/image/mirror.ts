import { TsdeployError } from "../model/errors.js";

/**
 * Reads `--mirror`, a server that has the projects' release files under their URLs without the scheme:
 * `<mirror>/dl.k8s.io/release/v1.36.2/bin/linux/amd64/kubelet`.
 *
 * @returns where it has the file of a URL
 * @throws TsdeployError `usage`, `MIRROR_INVALID`
 */
export function mirrorOf(mirror: string | undefined): (url: string) => string {
  if (mirror === undefined) return (url) => url;
  const base = URL.canParse(mirror) ? new URL(mirror) : undefined;
  if (!base || !/^https?:$/.test(base.protocol) || base.search !== "" || base.hash !== "") {
    throw new TsdeployError("usage", {
      code: "MIRROR_INVALID",
      // Not the value: there may be a password in it.
      message: "the mirror is no http:// or https:// URL without a query",
      hint: "Write it as https://mirror.example.com/releases.",
    });
  }
  const prefix = base.href.replace(/\/+$/, "");
  return (url) => `${prefix}/${url.replace(/^https:\/\//, "")}`;
}

/** Whether what comes from there, checksums included, could have been changed on the way. */
export function isPlainHttp(mirror: string | undefined): boolean {
  return mirror !== undefined && /^http:/i.test(mirror);
}
