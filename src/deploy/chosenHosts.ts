import { nearest } from "../config/nearest.js";
import type { ClusterHost, ClusterHosts } from "../model/clusterHosts.js";
import { TsdeployError } from "../model/errors.js";

/**
 * The hosts of a file that have these names, in the order of the file; without names all of them.
 *
 * @throws TsdeployError `usage`, `NO_SUCH_HOST`, for all names that no host has
 */
export function chosenHosts({ masters, workers }: ClusterHosts, names: readonly string[]): ClusterHost[] {
  const all: ClusterHost[] = [...masters, ...workers];
  const known = all.map(({ name }) => name);
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length === 0) return names.length === 0 ? all : all.filter(({ name }) => names.includes(name));
  throw new TsdeployError(
    "usage",
    unknown.map((name) => {
      const guess = nearest(name, known);
      const some = `${known.slice(0, 10).join(", ")}${known.length > 10 ? ", …" : ""}`;
      const hint = guess === undefined ? `There are: ${some}.` : `Did you mean ${guess}?`;
      return { code: "NO_SUCH_HOST", message: `the file has no host ${JSON.stringify(name)}`, hint };
    }),
  );
}
