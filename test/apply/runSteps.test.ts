import { describe, expect, it } from "vitest";
import { runSteps, type RunStepsOptions } from "../../src/apply/runSteps.js";
import type { Step } from "../../src/model/plan.js";
import type { ReportEvent } from "../../src/report/events.js";

const step = (id: string, needs: string[] = [], phase = id): Step => ({
  id,
  phase,
  needs,
  action: { kind: "remove-files", paths: [] },
});

/** Runs steps whose work is to note that they ran; `fail` names one that fails. */
async function trial(steps: Step[], fail?: string, keepOnFailure = false) {
  const log: string[] = [];
  const events: ReportEvent[] = [];
  const run: RunStepsOptions["run"] = async ({ id }, leave) => {
    log.push(`begin ${id}`);
    leave({
      undo: () => Promise.resolve(void log.push(`undo ${id}`)),
      resume: () => Promise.resolve(void log.push(`resume ${id}`)),
      commit: () => Promise.resolve(void log.push(`commit ${id}`)),
    });
    await new Promise(setImmediate);
    if (id === fail) throw new Error(`${id} failed`);
    log.push(`end ${id}`);
  };
  const outcome = await runSteps(steps, { run, keepOnFailure, report: (event) => events.push(event) }).then(
    (times) => times.map(({ phase }) => phase),
    (error: unknown) => String(error),
  );
  return { log, events, outcome };
}

describe("runSteps", () => {
  it("runs what depends on nothing side by side, and the rest after what it needs", async () => {
    const { log } = await trial([step("both", ["a", "b"]), step("a"), step("b")]);
    expect(log.slice(0, 6)).toEqual(["begin a", "begin b", "end a", "end b", "begin both", "end both"]);
  });

  it("commits only when everything has worked", async () => {
    const { log } = await trial([step("a"), step("b", ["a"])]);
    expect(log.slice(-2)).toEqual(["commit a", "commit b"]);
  });

  it("undoes in reverse order all that was begun, and only then resumes what ran before", async () => {
    const { log, outcome } = await trial([step("a"), step("b", ["a"]), step("c", ["b"]), step("d", ["c"])], "c");
    expect(outcome).toBe("Error: c failed");
    expect(log.slice(0, 5)).toEqual(["begin a", "end a", "begin b", "end b", "begin c"]);
    expect(log.slice(5)).toEqual(["undo c", "undo b", "undo a", "resume c", "resume b", "resume a"]);
  });

  it("retreats while all still runs, and undoes nothing where that fails", async () => {
    const work = async (may: boolean) => {
      const log: string[] = [];
      const note = (what: string) => () => Promise.resolve(void log.push(what));
      const run: RunStepsOptions["run"] = ({ id }, leave) => {
        const retreat = may ? note(`retreat ${id}`) : () => Promise.reject(new Error("it votes"));
        leave({ undo: note(`undo ${id}`), ...(id === "a" && { retreat }) });
        return id === "b" ? Promise.reject(new Error("b failed")) : Promise.resolve();
      };
      const report = (event: ReportEvent) => {
        if (event.kind === "warning") log.push(event.message);
      };
      const steps = [step("a"), step("b", ["a"])];
      await runSteps(steps, { run, keepOnFailure: false, report, beforeUndo: note("before") }).catch(() => undefined);
      return log;
    };
    expect(await work(true)).toEqual(["retreat a", "before", "undo b", "undo a"]);
    expect(await work(false)).toEqual(["nothing is undone: it votes"]);
  });

  it("leaves everything for a look when asked to", async () => {
    const { log } = await trial([step("a"), step("b", ["a"])], "b", true);
    expect(log).toEqual(["begin a", "end a", "begin b"]);
  });

  it("reports a phase from its first step to its last", async () => {
    const { events, outcome } = await trial([step("a", [], "files"), step("b", ["a"], "files"), step("c", ["b"])]);
    const phases = events.filter(({ kind }) => !kind.startsWith("step-"));
    expect(phases.map((event) => `${event.kind} ${"phase" in event ? event.phase : ""}`)).toEqual([
      "phase-started files",
      "phase-finished files",
      "phase-started c",
      "phase-finished c",
    ]);
    expect(outcome).toEqual(["files", "c"]);
  });

  it("refuses a plan whose step needs one that is not there", async () => {
    expect((await trial([step("a", ["ghost"])])).outcome).toContain("needs ghost");
  });
});
