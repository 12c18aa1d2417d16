import type { EngineVersion } from "../model/dockerObjects.js";
import { TsdeployError } from "../model/errors.js";

/** The newest API version that we know; a daemon that knows less gets requests in its own. */
const newestApiVersion = "1.49";

/**
 * @returns min(ours, the daemon's)
 * @throws TsdeployError `environment`, `DOCKER_TOO_NEW`
 */
export function negotiateApiVersion(version: EngineVersion, endpoint: string): string {
  if (isOlder(newestApiVersion, version.minApiVersion)) {
    throw new TsdeployError("environment", {
      code: "DOCKER_TOO_NEW",
      message: `Docker ${version.version} at ${endpoint} wants API ${version.minApiVersion} or newer; tsdeploy knows ${newestApiVersion}`,
      hint: "Use a newer tsdeploy, or lower the daemon's min-api-version.",
    });
  }
  return isOlder(version.apiVersion, newestApiVersion) ? version.apiVersion : newestApiVersion;
}

/** Whether an API version such as `1.41` is older than another. */
export function isOlder(version: string, than: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  const [thanMajor = 0, thanMinor = 0] = than.split(".").map(Number);
  return major < thanMajor || (major === thanMajor && minor < thanMinor);
}
