import { expect, test } from "vitest";
import { lineDifference } from "../../src/plan/lineDifference.js";

test.each([
  ["abc", "abc", ""],
  ["", "ab", "+a +b"],
  ["ab", "", "-a -b"],
  ["abcd", "axcd", "-b +x"],
  ["abc", "bcd", "-a +d"],
])("from %s to %s it is %j", (before, after, expected) => {
  const lines = lineDifference(Array.from(before), Array.from(after)).map((line) => line.replace(" ", ""));
  expect(lines.join(" ")).toBe(expected);
});
