import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { hostBeforeFile } from "../../src/host/hostBefore.js";
import { paths, writtenFolders } from "../../src/model/hostLayout.js";
import { filesOf } from "../../src/plan/diff.js";
import { cleanupScope, ownershipOf } from "../../src/plan/cleanupScope.js";
import { kinds } from "../apply/memory/kinds.js";
import { hostFacts } from "./fixtures.js";

/** What facts.sh looks for, as Bash reads its list. */
function probed(): string[] {
  const script = readFileSync("scripts/host/facts.sh", "utf8");
  const list = /^for path in (\/etc\/kubernetes\{[^;]*); do$/m.exec(script)?.[1] ?? "";
  return execFileSync("bash", ["-c", `printf '%s\\n' ${list}`], { encoding: "utf8" }).trim().split("\n");
}

const wherever = (file: string): string => file.slice(0, file.lastIndexOf("/"));

describe("folders that are removed when they are empty", () => {
  it("are all looked for before the first run, so that those of the owner stay", () => {
    const nothing = hostBeforeFile({ ...hostFacts, existingPaths: [] }, new Map());
    const files = new Map([[paths.hostBefore, { mode: 0o644, content: nothing?.content ?? "" }]]);
    const { emptyFolders } = cleanupScope(ownershipOf(files), { identity: false, etcdData: false });
    expect(emptyFolders.length).toBeGreaterThan(20);
    expect([...emptyFolders, paths.etcd, ...writtenFolders].filter((folder) => !probed().includes(folder))).toEqual([]);
  });

  it("are those of all files that a run writes", async () => {
    for (const kind of [kinds["first master v1.36.2"], kinds["first worker v1.3.6"], kinds["first master v1.20.2"]]) {
      const { host, plan } = (await kind?.()) ?? {};
      if (!host || !plan) throw new Error("no such kind of plan");
      const folders = filesOf((await plan(host)).plan).map(({ path }) => wherever(path));
      expect([...new Set(folders)].filter((folder) => !writtenFolders.includes(folder))).toEqual([]);
    }
  });
});
