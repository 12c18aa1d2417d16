import type { Blocker, Upgrade } from "../deploy/prepareUpgrade.js";
import type { CommandResult } from "../report/events.js";
import type { RunContext } from "../report/runContext.js";
import { textTable } from "../report/textTable.js";

/** What is told before an upgrade begins. */
export function reportUpgrade(upgrade: Upgrade, { report }: RunContext): void {
  for (const message of upgrade.warnings) report({ kind: "warning", message });
  report({ kind: "notice", message: upgradeText(upgrade) });
}

/** An upgrade that is not carried out: its exit code is that of what stands against it. */
export function upgradePlanResult(upgrade: Upgrade): CommandResult {
  const { from, plan, images, blockers, warnings, use, masters, workers } = upgrade;
  const hosts = [...masters, ...workers].map(({ name, host, there }) => ({
    host: name,
    role: host.role,
    node: there?.nodeName,
    version: there?.version,
    whole: there?.isWhole,
  }));
  const data = {
    from,
    to: plan.target,
    hosts,
    stops: plan.stops,
    left: plan.left,
    images,
    lostApis: use?.lostApis,
    tightBudgets: use?.tightBudgets,
    warnings,
    blockers,
  };
  const against = blockers.flatMap(blockerLines);
  const text = [
    upgradeText(upgrade),
    "",
    textTable([["HOST", "ROLE", "NODE", "VERSION"], ...hosts.map((row) => [row.host, row.role, row.node ?? "?", row.version ?? "-"])]),
    ...(images.length > 0 ? ["", imageTable(upgrade)] : []),
    ...(warnings.length > 0 ? ["", ...warnings.map((warning) => `warning: ${warning}`)] : []),
    ...(against.length > 0 ? ["", "This stands against it:", ...against] : []),
  ];
  return { data, text: text.join("\n"), exitCode: Math.max(0, ...blockers.map(({ exitCode }) => exitCode)) };
}

function upgradeText({ from, plan, images }: Upgrade): string {
  if (plan.stops.length === 0 && plan.refusals.length > 0) return `Kubernetes ${from}: no way to ${plan.target}`;
  if (plan.stops.length === 0) return `Nothing to upgrade: all hosts run ${plan.target}`;
  return [
    `Kubernetes ${from} -> ${plan.target}`,
    ...plan.stops.flatMap(({ version, masters, workers }) => {
      const etcd = images.find((image) => image.version === version && masters.includes(image.host))?.etcd;
      return [
        `  ${version}${etcd === undefined ? "" : `, etcd ${etcd}`}`,
        ...(masters.length > 0 ? [`    masters, one after the other: ${masters.join(", ")}`] : []),
        ...(workers.length > 0 ? [`    workers: ${workers.join(", ")}`] : []),
      ];
    }),
    ...(plan.left.length > 0 ? [`  leave as it is: ${plan.left.join(", ")}`] : []),
  ].join("\n");
}

const origins = {
  present: "here",
  copy: "to be copied from the master",
  pull: "to be pulled",
  build: "to be built from release files",
} as const;

function imageTable({ images }: Upgrade): string {
  const rows = images.map(({ host, reference, how }) => [host, reference, origins[how]]);
  return textTable([["HOST", "IMAGE", ""], ...rows]);
}

function blockerLines({ host, code, message, hint, unless }: Blocker): string[] {
  const where = host === undefined ? "" : `${host}: `;
  const way = unless === "--continue" ? `${hint} Or go on without it by --continue.` : hint;
  return [`  ${code}: ${where}${message}`, `    → ${way}`];
}
