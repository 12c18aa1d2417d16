import { execFile } from "node:child_process";
import { open, readFile } from "node:fs/promises";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { keepCopy } from "../../src/apply/actions/keepCopy.js";
import { removeFolder } from "../../src/apply/actions/removeFolder.js";
import type { EtcdAccess } from "../../src/apply/applyContext.js";
import type { StepTools } from "../../src/apply/planRun.js";
import type { Aftermath } from "../../src/apply/runSteps.js";
import type { Helper } from "../../src/host/helperSession.js";
import type { EtcdMember } from "../../src/kubernetes/etcdMembers.js";

const bash = promisify(execFile);
const action = { kind: "keep-copy", folder: "/etcd/member", copy: "/etcd/copy", scrap: "/etcd/copy.part" } as const;

let host: string;

beforeEach(() => {
  host = mkdtempSync(join(tmpdir(), "tsdeploy-copy-"));
  mkdirSync(join(host, "etcd"));
});

afterEach(() => {
  rmSync(host, { recursive: true });
});

function put(folder: string, content: string): void {
  mkdirSync(join(host, "etcd", folder));
  writeFileSync(join(host, "etcd", folder, "db"), content);
}

function there(): Record<string, string> {
  const folders = readdirSync(join(host, "etcd"));
  return Object.fromEntries(folders.map((folder) => [folder, readFileSync(join(host, "etcd", folder, "db"), "utf8")]));
}

/** A run on a host that is a folder of this machine, and what an action has left in it by now. */
function runHere(more: Partial<StepTools["run"]> = {}): { readonly tools: StepTools; readonly left: () => Aftermath } {
  let left: Aftermath = {};
  const env = { ...process.env, PATH: `${join(host, "bin")}:${process.env["PATH"] ?? ""}`, TMPDIR: host };
  const run: Helper["run"] = async (script, args = []) => {
    const here = script.replaceAll("/host$", `${host}$`);
    const { stdout } = await bash("bash", ["-c", here, "script", ...args], { env });
    return { exitCode: 0, stdout: Buffer.from(stdout), stderr: "" };
  };
  const signal = new AbortController().signal;
  const leave = (aftermath: Aftermath): void => {
    left = aftermath;
  };
  const context = { helper: { run }, signal, report: () => undefined, timeoutMs: 60_000 };
  return { tools: { run: { context, ...more }, leave } as unknown as StepTools, left: () => left };
}

async function tools(
  act: (tools: StepTools) => void | Promise<void>,
  more: Partial<StepTools["run"]> = {},
): Promise<Aftermath> {
  const here = runHere(more);
  await act(here.tools);
  return here.left();
}

const keep = () => tools((one) => keepCopy(action, one));

describe("a copy of etcd's data", () => {
  it("comes back if the run fails, and goes if it has worked", async () => {
    put("member", "old");
    const { undo, commit } = await keep();
    writeFileSync(join(host, "etcd/member/db"), "new");
    expect(there()).toEqual({ member: "new", copy: "old" });
    await undo?.();
    expect(there()).toEqual({ member: "old" });
    await keep();
    await commit?.();
    expect(there()).toEqual({ member: "old" });
  });

  it("is made anew where one was cut off", async () => {
    put("member", "old");
    put("copy.part", "ol");
    await keep();
    expect(there()).toEqual({ member: "old", copy: "old" });
  });

  it("stays as an interrupted run has made it, and what this run found stays if it fails", async () => {
    put("member", "newer");
    put("copy", "old");
    const { undo } = await keep();
    await undo?.();
    expect(there()).toEqual({ member: "newer", copy: "old" });
  });

  it("becomes the data again where it alone is left: an undo was cut off between its two renames", async () => {
    put("copy", "old");
    put("copy.part", "failed");
    const { undo, commit } = await keep();
    expect(there()).toEqual({ member: "old", copy: "old" });
    writeFileSync(join(host, "etcd/member/db"), "new");
    await undo?.();
    expect(there()).toEqual({ member: "old" });
    await commit?.();
    expect(there()).toEqual({ member: "old" });
  });

  it("that goes on when its run is stopped is ended by the undo, and leaves nothing that a later run would trust", async () => {
    put("member", "old");
    // A `cp` that has begun, and goes on when it is told to.
    const [begun, goOn] = [join(host, "begun"), join(host, "go-on")];
    await bash("mkfifo", [begun, goOn]);
    mkdirSync(join(host, "bin"));
    const cp = `#!/bin/bash\necho yes >${begun}\nread -r <>${goOn}\nmkdir -p "$4"\necho cut off >"$4/db"\n`;
    writeFileSync(join(host, "bin/cp"), cp, { mode: 0o755 });
    const { tools: these, left } = runHere();
    const copying = keepCopy(action, these).then(
      () => "copied",
      () => "ended",
    );
    await readFile(begun);
    await left().undo?.();
    const end = await open(goOn, "r+");
    await end.write("\n");
    expect(await copying).toBe("ended");
    await end.close();
    expect(there()).toEqual({ member: "old" });
  });

  it("that was cut off is removed, but not before the run has worked", async () => {
    put("copy.part", "ol");
    const { commit } = await tools((one) => {
      removeFolder({ kind: "remove-folder", path: action.scrap }, one);
    });
    expect(existsSync(join(host, "etcd/copy.part"))).toBe(true);
    await commit?.();
    expect(there()).toEqual({});
  });
});

describe("a copy of the data of an etcd that may have other members", () => {
  const own = { id: "1", name: "one", peerUrls: ["https://10.0.0.1:2380"], clientUrls: [], isLearner: false };
  const other = { ...own, id: "2", name: "two", peerUrls: ["https://10.0.0.2:2380"] };

  /** Which members etcd here names before it stops, and when all is undone; undefined: it does not answer. */
  const keepOf = (before: EtcdMember[] | undefined, after: EtcdMember[] | undefined): Promise<Aftermath> => {
    const members = () => (after ? Promise.resolve({ own: "1", members: after }) : Promise.reject(new Error("silent")));
    const etcd = { at: () => ({ members }) } as unknown as EtcdAccess;
    const otherMembers = before?.filter(({ id }) => id !== "1");
    const run = { etcd, otherMembers, stays: new Set(), fresh: new Set() } as unknown as StepTools["run"];
    return tools((one) => keepCopy({ ...action, several: {} }, one), run);
  };

  it.each<[string, EtcdMember[] | undefined, EtcdMember[] | undefined, string]>([
    ["comes back while it is alone", [own], [own], "old"],
    ["comes back where it was alone, and does not answer any more", [own], undefined, "old"],
    ["does not where others have joined meanwhile", [own], [own, other], "new"],
    ["does not where others are known from before", [own, other], undefined, "new"],
    ["does not where nobody knows", undefined, undefined, "new"],
    ["comes back where it says later that it is alone", undefined, [own], "old"],
  ])("%s", async (_, before, after, content) => {
    put("member", "old");
    const { retreat, undo } = await keepOf(before, after);
    writeFileSync(join(host, "etcd/member/db"), "new");
    await retreat?.();
    await undo?.();
    expect(there()).toMatchObject({ member: content });
  });

  it("is not even made where others are known", async () => {
    put("member", "old");
    await keepOf([own, other], undefined);
    expect(there()).toEqual({ member: "old" });
  });

  it("never becomes the data where it alone is left: it is older than what the others have of it", async () => {
    put("copy", "old");
    const { commit } = await keepOf(undefined, undefined);
    expect(there()).toEqual({ copy: "old" });
    await commit?.();
    expect(there()).toEqual({});
  });
});
