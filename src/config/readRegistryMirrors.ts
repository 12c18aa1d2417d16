import { isMap, leaveOneOut, listItems, quote, type RawValue, type Reader, within } from "./reader.js";
import { registryPattern } from "./scalarReaders.js";

const hint = "Write it as registry.k8s.io=mirror.example.com:5000/k8s: no https://, no / at the end, lower case.";

/** `registry=mirror`, repeated or with commas; a map in YAML. @returns a map */
export const readRegistryMirrors: Reader = (raw, complain) => {
  const mirrors = new Map<string, string>();
  const add = (registry: string, mirror: RawValue, path: readonly (string | number)[]): void => {
    const at = within(complain, path);
    if (typeof mirror !== "string") {
      at({ message: `the mirror of ${quote(registry)} has to be text`, hint });
      return;
    }
    const wrong = [registry, mirror].find((side) => !registryPattern.test(side));
    if (wrong !== undefined) at({ message: `${quote(wrong)} is not a registry, with or without a path`, hint });
    else if (mirrors.has(registry)) at({ message: `a mirror of ${registry} is given twice`, hint: leaveOneOut, aboutKey: true });
    else mirrors.set(registry, mirror);
  };
  if (isMap(raw)) {
    for (const [registry, mirror] of Object.entries(raw)) add(registry, mirror, [registry]);
    return Object.fromEntries(mirrors);
  }
  for (const { item, path } of listItems(raw)) {
    const [, registry, mirror] = typeof item === "string" ? (/^([^=]*)=(.*)$/.exec(item) ?? []) : [];
    if (registry === undefined || mirror === undefined) {
      complain({ path, message: `${JSON.stringify(item)} is not a mirror of a registry`, hint });
    } else {
      add(registry, mirror, path);
    }
  }
  return Object.fromEntries(mirrors);
};
