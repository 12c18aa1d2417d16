import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { TsdeployError } from "../../src/model/errors.js";
import { createPrompts, type PromptOptions } from "../../src/report/prompts.js";

function person(options: Partial<PromptOptions> = {}) {
  const input = new PassThrough();
  const output = new PassThrough();
  const abort = new AbortController();
  const prompts = createPrompts({
    input,
    output,
    signal: abort.signal,
    isTTY: true,
    yes: false,
    onAsk: () => undefined,
    onInterrupt: () => {
      abort.abort();
    },
    ...options,
  });
  return { ...prompts, input, shown: () => String(output.read() ?? "") };
}

describe("prompts", () => {
  it.each([
    ["y", true],
    ["YES", true],
    ["n", false],
    ["", false],
    ["yesterday", false],
  ])("take %j as %s", async (typed, expected) => {
    const { confirm, input, shown } = person();
    const answer = confirm("Delete it?");
    input.write(`${typed}\n`);
    expect(await answer).toBe(expected);
    expect(shown()).toContain("Delete it? [y/N] ");
  });

  it("show no secret", async () => {
    const { askSecret, input, shown } = person();
    const answer = askSecret("Token: ");
    input.write("abcdef.0123456789abcdef\n");
    expect(await answer).toBe("abcdef.0123456789abcdef");
    expect(shown()).not.toContain("abcdef");
  });

  it("need no terminal with --yes, and one without", async () => {
    expect(await person({ isTTY: false, yes: true }).confirm("?")).toBe(true);
    await expect(person({ isTTY: false }).confirm("?")).rejects.toThrow(TsdeployError);
  });

  it("end at Ctrl-C", async () => {
    const { ask, input } = person();
    const answer = ask("Who? ");
    input.write("\u0003");
    await expect(answer).rejects.toMatchObject({ kind: "aborted" });
  });
});
