import { expect, it } from "vitest";
import { formatDuration } from "../../src/report/formatDuration.js";
import { phaseTable } from "../../src/report/phaseTable.js";

it("lines up phases and their times", () => {
  const times = [
    { phase: "image", durationMs: 61_000, endedAtMs: 0 },
    { phase: "control plane", durationMs: 3210, endedAtMs: 0 },
  ];
  expect(phaseTable(times)).toBe("  image          1 min 1 s\n  control plane      3.2 s");
});

it.each([
  [0, "0 ms"],
  [949, "949 ms"],
  [951, "1.0 s"],
  [59_949, "59.9 s"],
  [59_951, "1 min 0 s"],
  [3_599_000, "59 min 59 s"],
])("writes %d ms as %s", (durationMs, text) => {
  expect(formatDuration(durationMs)).toBe(text);
});
