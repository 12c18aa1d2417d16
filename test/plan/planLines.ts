import { parse } from "yaml";
import type { ContainerSpec } from "../../src/model/containerSpec.js";
import { unreachable } from "../../src/model/errors.js";
import type { HostFile } from "../../src/model/hostFile.js";
import { cniConfigFiles, paths } from "../../src/model/hostLayout.js";
import type { Plan, Step } from "../../src/model/plan.js";
import { describePlan } from "../../src/plan/describePlan.js";
import { bindText } from "../../src/plan/diff.js";

/** A whole plan as lines that each tell where they belong, so that a difference of two can be read. No digests. */
export function planLines(plan: Plan): string[] {
  const described = describePlan(plan).data as { readonly steps: readonly { readonly does: string }[] };
  return [
    `${plan.role} ${plan.nodeName} of ${plan.clusterName}`,
    ...plan.warnings.map(({ message, danger }) => `${danger ? "danger" : "warning"}: ${message}`),
    ...plan.steps.map((step, index) => stepLine(step, described.steps[index]?.does ?? "")),
    ...plan.steps.flatMap(actionLines),
  ].map((line) => line.replaceAll(plan.version, "VERSION"));
}

function stepLine({ id, phase, needs }: Step, does: string): string {
  return `step ${id} [${phase}]${needs.length > 0 ? ` after ${needs.join(", ")}` : ""}: ${does.replace(/\d+ files$/, "files")}`;
}

function actionLines({ id, action }: Step): string[] {
  switch (action.kind) {
    case "write-files":
      return action.files.flatMap(fileLines);
    case "write-pod-network":
      return fileLines(action.file);
    case "run-container":
    case "replace-container": {
      const { container, kind, ...how } = action;
      return [...containerLines(container), `container ${container.component}: ${kind} ${JSON.stringify(how)}`];
    }
    case "create-node":
      return [`step ${id}: ${JSON.stringify(action.object)}`];
    case "mark-node":
      return action.annotations ? [`step ${id}: ${JSON.stringify(action.annotations)}`] : [];
    case "remove-files":
    case "make-folder":
    case "pull-image":
    case "wait":
    case "apply-objects":
    case "delete-objects":
    case "set-pod-cidr":
    case "drain-node":
    case "remove-node":
    case "stop-containers":
    case "keep-copy":
    case "remove-folder":
    case "remove-containers":
    case "clean-host":
    case "add-member":
    case "settle-member":
    case "spare-member":
    case "remove-member":
      // Their step's line tells all.
      return [];
    default:
      return unreachable(action);
  }
}

function containerLines(spec: ContainerSpec): string[] {
  const { component, command, binds, labels: said, env, ...rest } = spec;
  return [
    Object.entries(rest).map(([key, value]) => `${key}=${value}`).join(" "),
    ...commandWords(command),
    ...binds.map((bind) => `bind ${bindText(bind)}`),
    ...Object.entries(env ?? {}).map(([name, value]) => `environment ${name}=${value}`),
    `labels ${keys(said)}`,
  ].map((line) => `container ${component}: ${line}`);
}

function keys(map: Readonly<Record<string, unknown>>): string {
  return Object.keys(map).sort().join(" ");
}

/** What has a life of its own (scripts, addons, keys) by its path and mode alone. */
function fileLines({ path, mode, secret, editable, content }: HostFile): string[] {
  const settings = [mode.toString(8).padStart(4, "0"), ...(secret ? ["secret"] : []), ...(editable ? ["editable"] : [])];
  const configurations = [paths.kubeletConfig, paths.proxyConfig, paths.schedulerConfig, ...cniConfigFiles];
  const line = `file ${path} ${settings.join(" ")}`;
  if (path.startsWith(`${paths.manifests}/`)) return [line, ...podLines(JSON.parse(content) as Pod)];
  return configurations.includes(path) ? [line, ...flat(parse(content), `${path.replace(/.*\//, "")}:`)] : [line];
}

interface Named {
  readonly name: string;
}

interface Pod {
  readonly metadata: Named & Readonly<Record<"labels" | "annotations", Readonly<Record<string, string>> | undefined>>;
  readonly spec: {
    readonly containers: readonly (Named & {
      readonly command: readonly string[];
      readonly volumeMounts: readonly (Named & { readonly mountPath: string; readonly readOnly?: boolean })[];
    })[];
    readonly volumes: readonly Named[];
  };
}

function podLines({ metadata, spec, ...pod }: Pod): string[] {
  const { containers, volumes, ...rest } = spec;
  const { name: podName, labels: given, annotations, ...more } = metadata;
  return [
    ...fields({ ...pod, ...more, ...rest }),
    `labels ${keys({ ...given, ...annotations })}`,
    ...volumes.map(({ name, ...source }) => `volume ${name} ${JSON.stringify(source)}`),
    ...containers.flatMap(({ name, command, volumeMounts, ...settings }) =>
      [
        ...fields(settings),
        ...commandWords(command),
        ...volumeMounts.map((mount) => `mount ${mount.name} at ${mount.mountPath}${mount.readOnly ? " ro" : ""}`),
      ].map((line) => `${name}: ${line}`),
    ),
  ].map((line) => `pod ${podName} ${line}`);
}

function fields(map: object): string[] {
  return Object.entries(map).map(([key, value]) => `${key} ${JSON.stringify(value)}`);
}

/** `--file PATH` of our own script stays together. */
function commandWords(command: readonly string[]): string[] {
  return command.reduce<string[]>((words, word) => {
    const last = words.at(-1);
    const isValue = last !== undefined && (/^--[a-z-]+$/.test(last) || last === "/hyperkube") && !word.startsWith("--");
    return isValue ? [...words.slice(0, -1), `${last} ${word}`] : [...words, word];
  }, []);
}

/** `a.b 1`; a list is one value. */
function flat(value: unknown, path: string): string[] {
  if (value === undefined) return [];
  if (typeof value !== "object" || value === null || Array.isArray(value)) return [`${path} ${JSON.stringify(value)}`];
  return Object.entries(value).flatMap(([key, inner]) => flat(inner, /[:.]$/.test(path) ? `${path}${key}` : `${path}.${key}`));
}
