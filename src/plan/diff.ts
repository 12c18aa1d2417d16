import { isEdited } from "../kubernetes/renderManifests.js";
import type { Bind, Component, ContainerSpec } from "../model/containerSpec.js";
import type { ContainerDetails } from "../model/dockerObjects.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { type HostFile, podCidrPlaceholders } from "../model/hostFile.js";
import { labels } from "../model/hostLayout.js";
import type { Plan } from "../model/plan.js";
import { configLabel } from "./containerLabels.js";
import { lineDifference } from "./lineDifference.js";

/** What a run would change on a host. */
export type Change =
  /** `start`: it is there as wanted, but does not run. */
  | {
      readonly kind: "container";
      readonly component: Component;
      readonly change: "add" | "replace" | "start";
      readonly lines: readonly string[];
    }
  /** `overwrite`: a person's edit is replaced. */
  | {
      readonly kind: "file";
      readonly path: string;
      readonly change: "add" | "change" | "overwrite";
      /** Empty for a secret file. */
      readonly lines: readonly string[];
    };

/** A manifest that a person has edited and that stays so: `-` is what would be rendered, `+` is the edit. */
export interface KeptEdit {
  readonly path: string;
  readonly lines: readonly string[];
}

export interface PlanDiff {
  /** Empty: nothing changed. */
  readonly changes: readonly Change[];
  readonly kept: readonly KeptEdit[];
}

export interface Present {
  /** Our containers on this host, running or not. */
  readonly containers: readonly ContainerDetails[];
  readonly files: ReadonlyMap<string, ExistingFile>;
}

/** Compares a plan with what is on the host. */
export function diffPlan(plan: Plan, present: Present, options: { readonly overwrite: boolean }): PlanDiff {
  const changes: Change[] = [];
  const kept: KeptEdit[] = [];
  for (const file of filesOf(plan)) {
    const existing = present.files.get(file.path);
    const isAnEdit = file.editable === true && existing !== undefined && isEdited(existing.content);
    if (isAnEdit && !options.overwrite) {
      kept.push({ path: file.path, lines: lineDifference(split(file.content), split(existing.content)) });
    } else {
      const change = fileChange(file, existing, isAnEdit);
      if (change) changes.push(change);
    }
  }
  for (const template of podNetworkFilesOf(plan)) {
    const existing = present.files.get(template.path);
    const change = fileChange(filled(template, existing), existing, false);
    if (change) changes.push(change);
  }
  for (const spec of containersOf(plan)) {
    const change = containerChange(spec, present.containers);
    if (change) changes.push(change);
  }
  return { changes, kept };
}

/** All files that a plan writes. */
export function filesOf(plan: Plan): HostFile[] {
  return plan.steps.flatMap(({ action }) => (action.kind === "write-files" ? [...action.files] : []));
}

/** Files that a plan writes when a node's pod CIDR is known: still with the placeholder. */
function podNetworkFilesOf(plan: Plan): HostFile[] {
  const known = new Set(filesOf(plan).map(({ path }) => path));
  return plan.steps.flatMap(({ action }) =>
    action.kind === "write-pod-network" && !known.has(action.file.path) ? [action.file] : [],
  );
}

/** With the pod CIDRs that an existing file names, if it is made of the same template. */
function filled(template: HostFile, existing: ExistingFile | undefined): HostFile {
  const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const withCidrs = podCidrPlaceholders.reduce(
    (pattern, placeholder) => pattern.replaceAll(escaped(placeholder), "[\\da-f.:/]+"),
    escaped(template.content),
  );
  const { content = "" } = existing ?? {};
  return new RegExp(`^${withCidrs}$`).test(content) ? { ...template, content } : template;
}

/** All containers that a plan runs. */
export function containersOf(plan: Plan): ContainerSpec[] {
  return plan.steps.flatMap(({ action }) => (action.kind === "run-container" ? [action.container] : []));
}

/** A bind as Docker writes it. */
export function bindText({ source, target, readOnly, propagation }: Bind): string {
  const options = [...(readOnly ? ["ro"] : []), ...(propagation ? [propagation] : [])].join(",");
  return `${source}:${target}${options === "" ? "" : `:${options}`}`;
}

function fileChange(file: HostFile, existing: ExistingFile | undefined, isAnEdit: boolean): Change | undefined {
  if (!existing) return { kind: "file", path: file.path, change: "add", lines: [] };
  const mode = lineDifference([modeText(existing.mode)], [modeText(file.mode)]);
  if (existing.content === file.content && mode.length === 0) return undefined;
  // Nobody reads the lines of a certificate.
  const content = file.secret || file.path.endsWith(".crt") ? [] : lineDifference(split(existing.content), split(file.content));
  return { kind: "file", path: file.path, change: isAnEdit ? "overwrite" : "change", lines: [...mode, ...content] };
}

function containerChange(spec: ContainerSpec, containers: readonly ContainerDetails[]): Change | undefined {
  const { component } = spec;
  const mine = containers.filter((container) => container.labels[labels.component] === component);
  const same = mine.find((container) => container.labels[labels.spec] === spec.labels[labels.spec]);
  if (same) return same.running ? undefined : { kind: "container", component, change: "start", lines: [] };
  const old = mine.find(({ running }) => running) ?? mine[0];
  if (!old) return { kind: "container", component, change: "add", lines: [] };
  const lines = [
    ...lineDifference([`image ${old.image}`], [`image ${spec.image}`]),
    ...lineDifference(old.command, spec.command),
    ...lineDifference(old.binds.map(normalBind).sort(), spec.binds.map(bindText).map(normalBind).sort()),
    ...lineDifference([openFilesText(old)], [openFilesText(spec)]),
    ...[labels.cluster, labels.role, labels.version].flatMap((name) =>
      lineDifference([`${name}=${old.labels[name] ?? ""}`], [`${name}=${spec.labels[name] ?? ""}`]),
    ),
  ];
  if (old.labels[configLabel] !== spec.labels[configLabel]) lines.push("  its configuration file has changed");
  return { kind: "container", component, change: "replace", lines };
}

function openFilesText({ openFiles }: { readonly openFiles?: number }): string {
  return `open files ${openFiles ?? "as Docker has it"}`;
}

/** Docker's engine writes `rw`, and options in any order. */
function normalBind(text: string): string {
  const [source, target, options = ""] = text.split(":");
  const kept = options.split(",").filter((option) => option !== "" && option !== "rw").sort().join(",");
  return `bind ${source ?? ""}:${target ?? ""}${kept === "" ? "" : `:${kept}`}`;
}

function modeText(mode: number): string {
  return `mode ${mode.toString(8).padStart(4, "0")}`;
}

function split(text: string): string[] {
  return text.replace(/\n$/, "").split("\n");
}
