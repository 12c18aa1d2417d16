import type { PatchableComponent, Taint } from "../model/options.js";
import { isLabelKey, isLabelValue, isSubdomain } from "./names.js";
import { nearest } from "./nearest.js";
import {
  type Complain,
  type Complaint,
  isMap,
  leaveOneOut,
  listItems,
  quote,
  type RawValue,
  type Reader,
  textReader,
  within,
} from "./reader.js";

/** A Node's name that can also be the value of its hostname label. */
export const readNodeName: Reader = textReader((text, complain) => {
  if (isShortName(text)) return text;
  complain({
    message: `${quote(text)} cannot be a node's name: at most 63 of a-z, 0-9, - and ., a letter or digit at both ends`,
    hint: lowerOr(text, "Write it as worker-1 or worker-1.example.com."),
  });
  return undefined;
});

/** What is good for labels, certificates and contexts alike. */
export const readClusterName: Reader = textReader((text, complain) => {
  if (isShortName(text)) return text;
  complain({
    message: `${quote(text)} cannot be a cluster's name: at most 63 of a-z, 0-9, - and ., a letter or digit at both ends`,
    hint: lowerOr(text, "Write it as production or site-2."),
  });
  return undefined;
});

function isShortName(text: string): boolean {
  return isSubdomain(text) && text.length <= 63;
}

/** The name in lower case, if that is all it needs. */
function lowerOr(text: string, otherwise: string): string {
  const lower = text.toLowerCase();
  return isShortName(lower) ? `Did you mean ${lower}?` : otherwise;
}

/** A DNS domain without dot at its end. */
export const readDomain: Reader = textReader((text, complain) => {
  if (isSubdomain(text)) return text;
  const bare = text.toLowerCase().replace(/^\.+|\.+$/g, "");
  complain({
    message: `${quote(text)} is not a DNS domain`,
    hint: bare !== text && isSubdomain(bare) ? `Did you mean ${bare}?` : "Write it as cluster.local.",
  });
  return undefined;
});

/** `key=value`, repeated or with commas; a map in YAML. @returns a map */
export const readLabels: Reader = (raw, complain) => {
  const labels = new Map<string, string>();
  const add = (key: string, value: RawValue, path: readonly (string | number)[]): void => {
    const at = within(complain, path);
    if (typeof value !== "string") {
      at({ message: `the value of ${quote(key)} has to be text`, hint: "Write one value behind it, such as disk: ssd." });
    } else if (labels.has(key)) at({ message: `label ${quote(key)} is given twice`, hint: leaveOneOut, aboutKey: true });
    else if (checkLabelKey(key, "label", at) && checkLabelValue(value, at)) labels.set(key, value);
  };
  if (isMap(raw)) {
    for (const [key, value] of Object.entries(raw)) add(key, value, [key]);
    return Object.fromEntries(labels);
  }
  for (const { item, path } of listItems(raw)) {
    const [, key, value] = typeof item === "string" ? (/^([^=]*)=(.*)$/.exec(item) ?? []) : [];
    if (key === undefined || value === undefined) {
      complain({ path, message: `${JSON.stringify(item)} is not a label`, hint: "Write it as key=value." });
    } else {
      add(key, value, path);
    }
  }
  return Object.fromEntries(labels);
};

const effects: readonly string[] = ["NoSchedule", "PreferNoSchedule", "NoExecute"] satisfies Taint["effect"][];

/** `key=value:Effect` or `key:Effect`; in YAML also `{key, value, effect}`. */
export const readTaints: Reader = (raw, complain) => {
  const taints: Taint[] = [];
  for (const { item, path } of listItems(raw)) {
    const at = within(complain, path);
    const taint = typeof item === "string" ? splitTaint(item) : taintFields(item);
    if (!taint) {
      at({
        message: `${JSON.stringify(item)} is not a taint`,
        hint: "Write it as key=value:Effect or key:Effect, with one of the effects NoSchedule, PreferNoSchedule, NoExecute.",
      });
      continue;
    }
    if (!checkLabelKey(taint.key, "taint", at) || !checkLabelValue(taint.value ?? "", at)) continue;
    if (!isEffect(taint.effect)) {
      const guess = nearest(taint.effect, effects);
      at({
        message: `${quote(taint.effect)} is not an effect of a taint`,
        hint: guess === undefined ? `Write one of ${effects.join(", ")}.` : `Did you mean ${guess}?`,
      });
      continue;
    }
    const { key, value, effect } = taint;
    if (taints.some((other) => other.key === key && other.effect === effect)) {
      at({ message: `taint ${key}:${effect} is given twice`, hint: leaveOneOut });
    }
    taints.push(value === undefined ? { key, effect } : { key, value, effect });
  }
  return taints;
};

interface WrittenTaint {
  readonly key: string;
  readonly value?: string;
  readonly effect: string;
}

function splitTaint(text: string): WrittenTaint | undefined {
  const [, key, value, effect] = /^([^=:]+)(?:=([^:]*))?:(\w+)$/.exec(text) ?? [];
  if (key === undefined || effect === undefined) return undefined;
  return value === undefined ? { key, effect } : { key, value, effect };
}

function taintFields(item: RawValue): WrittenTaint | undefined {
  if (!isMap(item)) return undefined;
  const { key, value, effect, ...rest } = item;
  if (typeof key !== "string" || typeof effect !== "string" || Object.keys(rest).length > 0) return undefined;
  if (value === undefined) return { key, effect };
  return typeof value === "string" ? { key, value, effect } : undefined;
}

function isEffect(text: string): text is Taint["effect"] {
  return effects.includes(text);
}

/** Components that take further flags. */
const extendableComponents: readonly string[] = [
  "etcd",
  "apiserver",
  "controller-manager",
  "scheduler",
  "kubelet",
  "proxy",
  "addon-manager",
] satisfies PatchableComponent[];

/** One extra argument as it was written. */
interface WrittenArg {
  readonly component: string;
  readonly flag: string;
  readonly value: RawValue;
  readonly path: readonly (string | number)[];
}

/** `component:flag=value`, repeated, or with white space between them; in YAML a map of maps. */
export const readExtraArgs: Reader = (raw, complain) => {
  const args: Record<string, Record<string, string>> = {};
  const unknown = new Set<string>();
  for (const { component, flag, value, path } of isMap(raw) ? argsOfMap(raw, complain) : argsOfList(raw, complain)) {
    const at = within(complain, path);
    const name = component.replace(/^kube-/, "");
    if (!extendableComponents.includes(name)) {
      if (!unknown.has(component)) complain(unknownComponent(component, path.slice(0, 1)));
      unknown.add(component);
    } else if (!/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(flag)) {
      const bare = flag.replace(/^-+/, "");
      at({
        message: `${quote(flag)} is not the name of a flag`,
        aboutKey: true,
        hint: bare === flag ? "Use letters, digits, - and dots alone, such as feature-gates." : `Write it without dashes: ${bare}.`,
      });
    } else if (typeof value !== "string") {
      const hint = "Write one value behind it; several go into it with commas, such as feature-gates: A=true,B=false.";
      at({ message: `the value of ${quote(flag)} has to be text`, hint });
    } else {
      args[name] = { ...args[name], [flag]: value };
    }
  }
  return args;
};

function argsOfMap(raw: Readonly<Record<string, RawValue>>, complain: Complain): WrittenArg[] {
  return Object.entries(raw).flatMap(([component, flags]) => {
    if (isMap(flags)) {
      return Object.entries(flags).map(([flag, value]) => ({ component, flag, value, path: [component, flag] }));
    }
    const hint = "Write each flag on a line below it, such as feature-gates: A=true.";
    complain({ path: [component], message: `the flags of ${quote(component)} have to be a map of flag: value`, hint });
    return [];
  });
}

function argsOfList(raw: RawValue, complain: Complain): WrittenArg[] {
  const items = typeof raw === "string" ? raw.split(/\s+/).filter((item) => item !== "") : (raw as readonly RawValue[]);
  return items.flatMap((item, index) => {
    const [, component, flag, value] = typeof item === "string" ? (/^([^:=]+):([^=]+)=(.*)$/s.exec(item) ?? []) : [];
    if (component !== undefined && flag !== undefined && value !== undefined) {
      return [{ component, flag, value, path: [index] }];
    }
    complain({
      path: [index],
      message: `${JSON.stringify(item)} is not an extra argument`,
      hint: "Write it as component:flag=value, such as apiserver:service-node-port-range=80-32767.",
    });
    return [];
  });
}

function unknownComponent(component: string, path: readonly (string | number)[]): Complaint {
  const guess = nearest(component, extendableComponents);
  return {
    path,
    aboutKey: true,
    message: `${quote(component)} is not a component that takes extra arguments`,
    hint: guess === undefined ? `Those that do: ${extendableComponents.join(", ")}.` : `Did you mean ${guess}?`,
  };
}

function checkLabelKey(key: string, what: "label" | "taint", complain: Complain): boolean {
  if (isLabelKey(key)) return true;
  complain({
    message: `${quote(key)} cannot be the key of a ${what}: [prefix/]name, the prefix a DNS domain, ` +
      "the name at most 63 of A-Z, a-z, 0-9, -, _ and ., a letter or digit at both ends",
    hint: "Write it as disk or example.com/disk.",
    aboutKey: true,
  });
  return false;
}

function checkLabelValue(value: string, complain: Complain): boolean {
  if (isLabelValue(value)) return true;
  complain({
    message: `${quote(value)} cannot be the value of a label or taint: ` +
      "at most 63 of A-Z, a-z, 0-9, -, _ and ., a letter or digit at both ends",
    hint: "Write it as ssd or eu-west-1.",
  });
  return false;
}
