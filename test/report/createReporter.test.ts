import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { TsdeployError } from "../../src/model/errors.js";
import { createReporter, type ReporterOptions } from "../../src/report/createReporter.js";
import type { ReportEvent } from "../../src/report/events.js";

const course: readonly ReportEvent[] = [
  { kind: "phase-started", phase: "control plane" },
  { kind: "phase-started", phase: "node" },
  { kind: "waiting", phase: "node", seen: "not registered" },
  { kind: "warning", message: "one CPU only" },
  { kind: "phase-finished", phase: "control plane", durationMs: 3210 },
  { kind: "phase-failed", phase: "node", durationMs: 400 },
  { kind: "difference", subject: "replace container kubelet", lines: ["- old", "+ new"] },
];

/** Two files at once; the second has no length, and the first is done. */
const downloads: readonly ReportEvent[] = [
  { kind: "phase-started", phase: "downloads" },
  { kind: "download-progress", file: "kubelet", bytesDone: 0, bytesTotal: 58e6 },
  { kind: "download-progress", file: "etcd", bytesDone: 3e6 },
  { kind: "download-progress", file: "kubelet", bytesDone: 29e6, bytesTotal: 58e6 },
  { kind: "notice", message: "half-way" },
  { kind: "download-progress", file: "kubelet", bytesDone: 58e6, bytesTotal: 58e6, done: true },
  { kind: "notice", message: "nearly done" },
  { kind: "build-line", line: "Step 1/2 : FROM debian" },
];

const twoProblems = new TsdeployError("conflict", [
  { code: "PORT_TAKEN", message: "port 6443 is taken", hint: "Stop it." },
  { code: "SWAP_ON", message: "swap is on", hint: "Look." },
]);

interface Said {
  readonly out: () => string;
  readonly err: () => string;
}

async function reporter(options: Partial<ReporterOptions> = {}) {
  const stdout = new PassThrough();
  const move = (): boolean => true;
  const terminal = { isTTY: options.isTTY === true, columns: 80, cursorTo: move, clearLine: move, moveCursor: move };
  const stderr = Object.assign(new PassThrough(), terminal);
  const read = (stream: PassThrough) => () => String(stream.read() ?? "");
  const said: Said = { out: read(stdout), err: read(stderr) };
  const made = await createReporter({
    output: "text",
    isTTY: false,
    verbose: false,
    env: { TERM: "xterm" },
    stdout,
    stderr,
    ...options,
  });
  return { ...made, ...said };
}

describe("without a terminal", () => {
  it("each event that lasts is a line on stderr", async () => {
    const { report, out, err } = await reporter();
    course.forEach(report);
    expect(err()).toBe(
      [
        "control plane …",
        "node …",
        "warning: one CPU only",
        "control plane: done in 3.2 s",
        "node: failed after 400 ms",
        "replace container kubelet",
        "  - old",
        "  + new",
        "",
      ].join("\n"),
    );
    expect(out()).toBe("");
  });

  it("--verbose also tells what waits see", async () => {
    const { report, err } = await reporter({ verbose: true });
    course.forEach(report);
    expect(err()).toContain("node: not registered\n");
  });

  it("a pull is told once, not at each step", async () => {
    const { report, err } = await reporter();
    for (const bytesDone of [0, 10e6, 20e6]) {
      const progress = { layersDone: 1, layersTotal: 7, bytesDone, bytesTotal: 260e6 };
      report({ kind: "pull-progress", image: "hyperkube:v1.20.2", progress });
    }
    expect(err()).toBe("hyperkube:v1.20.2: [--------------------]   0 % of 260 MB, 1/7 layers\n");
  });
});

describe("files that are downloaded at once", () => {
  it("are lines where there is no terminal: when each begins and when it is here", async () => {
    const { report, err } = await reporter();
    downloads.forEach(report);
    expect(err()).toBe(
      [
        "downloads …",
        "kubelet: [--------------------]   0 % of 58 MB",
        "etcd: 3 MB",
        "half-way",
        "kubelet: 58 MB are here",
        "nearly done",
        "",
      ].join("\n"),
    );
  });

  it("have a bar each on a terminal, until they are done", async () => {
    const { report, err, pause } = await reporter({ isTTY: true, env: { TERM: "xterm", NO_COLOR: "1" } });
    downloads.forEach(report);
    report({ kind: "warning", message: "so that the line is drawn again" });
    pause();
    const [before = "", between = "", after = ""] = err().split(/half-way\n|again\n/);
    expect(before).toContain("downloads 0 s");
    expect(between).toMatch(/ {2}kubelet {2}\[##########-{10}\] {2}50 % of 58 MB\n {2}etcd {5}3 MB/);
    expect(after).toMatch(/downloads 0 s: Step 1\/2 : FROM debian\n {2}etcd {2}3 MB/);
    expect(after).not.toContain("kubelet");
  });

  it("are forgotten when their phase has failed", async () => {
    const { report, err, pause } = await reporter({ isTTY: true });
    report({ kind: "phase-started", phase: "other" });
    downloads.forEach(report);
    err();
    report({ kind: "phase-failed", phase: "downloads", durationMs: 1 });
    pause();
    expect(err()).not.toContain("etcd");
  });
});

describe("a build", () => {
  it("is told line by line with --verbose", async () => {
    const quiet = await reporter();
    downloads.forEach(quiet.report);
    expect(quiet.err()).not.toContain("FROM debian");
    for (const isTTY of [false, true]) {
      const { report, err, pause } = await reporter({ verbose: true, isTTY, env: { TERM: "xterm", NO_COLOR: "1" } });
      downloads.forEach(report);
      pause();
      expect(err()).toContain("Step 1/2 : FROM debian\n");
    }
  });
});

describe("images on their way", () => {
  it("are told with how much of them has gone", async () => {
    const { report, err } = await reporter();
    for (const bytesDone of [0, 5e6]) report({ kind: "transfer-progress", what: "images", bytesDone, bytesTotal: 10e6 });
    expect(err()).toBe("images: [--------------------]   0 % of 10 MB\n");
    const terminal = await reporter({ isTTY: true, env: { TERM: "xterm", NO_COLOR: "1" } });
    terminal.report({ kind: "phase-started", phase: "copy" });
    terminal.report({ kind: "transfer-progress", what: "images", bytesDone: 5e6, bytesTotal: 10e6 });
    terminal.report({ kind: "notice", message: "." });
    terminal.pause();
    expect(terminal.err()).toContain("copy 0 s: images [##########----------] 50 % of 10 MB");
  });
});

describe("a danger", () => {
  const event: ReportEvent = { kind: "warning", message: "port 8080 is open to everybody", danger: true };

  it("is red, and is called one where there are no colours", async () => {
    const terminal = await reporter({ isTTY: true });
    terminal.report(event);
    expect(terminal.err()).toContain("\u001B[31mDANGER: port 8080 is open to everybody\u001B[39m\n");
    const lines = await reporter();
    lines.report(event);
    expect(lines.err()).toBe("DANGER: port 8080 is open to everybody\n");
  });
});

describe("on a terminal", () => {
  it("phases that run share one line, and each that ends leaves one", async () => {
    const { report, err, pause } = await reporter({ isTTY: true });
    course.forEach(report);
    pause();
    const text = err();
    expect(text).toContain("control plane 0 s · node 0 s: not registered");
    expect(text).toContain("\u001B[32m✔\u001B[39m control plane \u001B[2m3.2 s\u001B[22m\n");
    expect(text).toContain("\u001B[31m✖\u001B[39m node");
  });

  it("NO_COLOR is honoured", async () => {
    const { report, error, err, pause } = await reporter({ isTTY: true, env: { TERM: "xterm", NO_COLOR: "1" } });
    course.forEach(report);
    pause();
    error(twoProblems);
    expect(err()).not.toMatch(/\u001B\[[\d;]*m/);
  });

  it("a dumb one gets lines", async () => {
    const { report, err } = await reporter({ isTTY: true, env: { TERM: "dumb" } });
    course.forEach(report);
    expect(err()).not.toContain("\u001B");
  });
});

describe("many hosts", () => {
  const plain = { env: { TERM: "xterm", NO_COLOR: "1" } };
  const swap = { code: "SWAP_ON", message: "swap is on", hint: "Turn it off." };
  const work: readonly ReportEvent[] = [
    { kind: "host-started", host: "node-1", work: "join" },
    { kind: "host-started", host: "node-2", work: "join" },
    { kind: "phase-started", host: "node-1", phase: "kubelet" },
    { kind: "waiting", host: "node-1", phase: "kubelet", seen: "not registered" },
    { kind: "difference", host: "node-2", subject: "replace container kubelet", lines: ["- old", "+ new"] },
    { kind: "phase-finished", host: "node-1", phase: "kubelet", durationMs: 3210 },
    { kind: "phase-started", host: "node-2", phase: "kubelet" },
    { kind: "host-finished", host: "node-1", work: "join", durationMs: 4000 },
    { kind: "notice", message: "one is done" },
    { kind: "host-failed", host: "node-2", work: "join", durationMs: 400, problems: [swap] },
  ];

  it("each line begins with the host that it is about", async () => {
    const { report, err } = await reporter();
    work.forEach(report);
    expect(err()).toBe(
      [
        "[node-1] join …",
        "[node-2] join …",
        "[node-1] kubelet …",
        "[node-2] replace container kubelet",
        "[node-2]   - old",
        "[node-2]   + new",
        "[node-1] kubelet: done in 3.2 s",
        "[node-2] kubelet …",
        "[node-1] join: done in 4.0 s",
        "one is done",
        "[node-2] join: failed after 400 ms",
        "[node-2] error: SWAP_ON: swap is on",
        "[node-2]   → Turn it off.",
        "",
      ].join("\n"),
    );
  });

  it("the progress of one does not silence another's", async () => {
    const { report, err } = await reporter();
    for (const host of ["node-1", "node-2", "node-1"]) {
      report({ kind: "transfer-progress", host, what: "images", bytesDone: 0, bytesTotal: 10e6 });
    }
    expect(err().match(/^\[node-\d\]/gm)).toEqual(["[node-1]", "[node-2]"]);
  });

  it("on a terminal each that is worked on has a line, and leaves one when it is done", async () => {
    const { report, err, pause } = await reporter({ isTTY: true, ...plain });
    work.forEach(report);
    pause();
    const text = err();
    const [before = "", after = ""] = text.split("one is done\n");
    expect(before).toContain("2 hosts\n  node-1  join 0 s · kubelet 0 s: not registered\n  node-2  join 0 s");
    expect(before).toContain("[node-1] ✔ join 4.0 s\n");
    expect(before).not.toContain("✔ kubelet");
    expect(after).toContain("1 host\n  node-2  join 0 s · kubelet 0 s");
    expect(after).toContain("[node-2] ✖ join 400 ms\n[node-2] error: SWAP_ON: swap is on\n");
  });

  it("on a terminal more than a screenful are counted", async () => {
    const { report, err, pause } = await reporter({ isTTY: true, ...plain });
    for (let n = 1; n <= 50; n++) report({ kind: "host-started", host: `node-${n}`, work: "join" });
    report({ kind: "notice", message: "." });
    pause();
    const drawn = err().split(".\n").at(-1) ?? "";
    expect(drawn).toContain("  node-10  join 0 s\n  and 40 more");
    expect(drawn).not.toContain("node-11");
  });

  it("--output json streams events to stderr, errors too, and stdout has one document", async () => {
    const { report, error, out, err } = await reporter({ output: "json", streamsEvents: true });
    work.forEach(report);
    error(twoProblems);
    const lines = err().trimEnd().split("\n");
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(work);
    expect(JSON.parse(out())).toMatchObject({ ok: false, error: { kind: "conflict" } });
  });

  it("a result that is only a part of what was to be done is not ok", async () => {
    const { result, out } = await reporter({ output: "json" });
    result({ data: { hosts: [] }, text: "", exitCode: 5 });
    expect(JSON.parse(out())).toEqual({ ok: false, hosts: [] });
  });
});

describe("errors", () => {
  it("are told with their codes and hints, all of them", async () => {
    const { error, err } = await reporter();
    error(twoProblems);
    expect(err()).toBe("error: PORT_TAKEN: port 6443 is taken\n  → Stop it.\nerror: SWAP_ON: swap is on\n  → Look.\n");
  });

  it("show a stack only if nobody foresaw them", async () => {
    const { error, err } = await reporter();
    error(new Error("boom", { cause: new Error("because") }));
    const text = err();
    expect(text).toMatch(/boom\n\s+at /);
    expect(text).toContain("because");
    expect(text).toContain("bug");
  });

  it("show what lies behind with --verbose", async () => {
    const failure = new TsdeployError("failed", { code: "X", message: "x", hint: "Look." }, { cause: new Error("behind") });
    const quiet = await reporter();
    quiet.error(failure);
    expect(quiet.err()).not.toContain("behind");
    const verbose = await reporter({ verbose: true });
    verbose.error(failure);
    expect(verbose.err()).toContain("caused by: behind");
  });
});

describe("--output json", () => {
  it("has one document on stdout, and nothing else there", async () => {
    const { report, result, out, err } = await reporter({ output: "json", isTTY: true });
    course.forEach(report);
    result({ data: { node: "machine-1" }, text: "for people" });
    expect(JSON.parse(out())).toEqual({ ok: true, node: "machine-1" });
    expect(err()).toContain("control plane: done in 3.2 s");
  });

  it("has one for errors, too", async () => {
    const { error, out, err } = await reporter({ output: "json" });
    error(twoProblems);
    expect(JSON.parse(out())).toEqual({
      ok: false,
      error: { kind: "conflict", exitCode: 4, problems: twoProblems.problems },
    });
    expect(err()).toContain("PORT_TAKEN");
  });
});

describe("results", () => {
  it("are text with one newline at the end", async () => {
    const { result, out } = await reporter();
    result({ data: {}, text: "a\nb" });
    expect(out()).toBe("a\nb\n");
    result({ data: {}, text: "" });
    expect(out()).toBe("");
  });
});
