import { isLoopback, proxySettings } from "../config/proxySettings.js";

/** How what a build runs gets to the network. */
export interface BuildProxies {
  /**
   * By the names that Docker predefines: these are in no image's history or environment, and do not decide whether a
   * step that was built before is built again.
   */
  readonly args: Readonly<Record<string, string>>;
  /** There is a proxy that only this machine itself reaches. */
  readonly unreachable: boolean;
  /** A text without the proxies' passwords. */
  conceal(text: string): string;
}

/** The operator's proxies, for a build's containers: Docker does not hand on its own. */
export function buildProxies(env: NodeJS.ProcessEnv): BuildProxies {
  const settings = proxySettings(env);
  const given = { http_proxy: settings.httpProxy, https_proxy: settings.httpsProxy };
  const reachable = Object.entries(given).filter(([, url]) => url !== "" && !isLoopback(hostOf(url)));
  const noProxy = ["localhost", "127.0.0.0/8", "::1", ...settings.noProxy.split(/[\s,]+/)].filter((entry) => entry !== "");
  const args = reachable.length === 0 ? [] : [...reachable, ["no_proxy", [...new Set(noProxy)].join(",")] as const];
  const secrets = reachable.flatMap(([, url]) => credentialsIn(url));
  return {
    args: Object.fromEntries(args.flatMap(([name, value]) => [[name, value], [name.toUpperCase(), value]] as const)),
    unreachable: Object.values(given).some((url) => url !== "" && isLoopback(hostOf(url))),
    conceal: (text) => secrets.reduce((concealed, secret) => concealed.replaceAll(secret, "…"), text),
  };
}

/** A proxy may be written without its scheme. */
function hostOf(url: string): string {
  const [, host = ""] = /^(?:[^/]*:\/\/)?(?:[^/]*@)?(\[[^\]]*\]|[^/:]*)/.exec(url) ?? [];
  return host.replace(/^\[(.*)\]$/, "$1").toLowerCase();
}

/** User and password as they are written, and the password alone as it is meant. */
function credentialsIn(url: string): string[] {
  const [, both = ""] = /^(?:[^/]*:\/\/)?([^/]*)@/.exec(url) ?? [];
  const password = both.includes(":") ? both.slice(both.indexOf(":") + 1) : "";
  return [both, password, decoded(password)].filter((secret) => secret !== "");
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
