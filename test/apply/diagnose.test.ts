import { expect, test } from "vitest";
import { lastWords } from "../../src/apply/diagnose.js";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";

/** What a person is shown of a log. */
async function shown(...log: string[]): Promise<string[]> {
  const engine = { containerLogs: async () => Promise.resolve(`${log.join("\n")}\n`) } as unknown as ContainerEngine;
  const words = await lastWords(engine, { id: "1", name: "kube_etcd_1", title: "It" });
  return words.split("\n").slice(1, -1).map((line) => line.trim());
}

const info = '{"level":"info","msg":"starting an etcd server"}';
const panic = '{"level":"panic","msg":"failed to create WAL","error":"no space left on device"';
const stack = [
  "",
  "goroutine 1 [running]:",
  "go.uber.org/zap.(*Logger).Panic(0x1577868e0300?, {0x11f6a2e?, 0x14?})",
  "\tgo.uber.org/zap/logger.go:285 +0x4b",
  "go.etcd.io/etcd/server/etcdmain.Main({0x367258c00090, 0x9, 0x9})",
  "\tgo.etcd.io/etcd/server/etcdmain/main.go:40 +0x105",
  "main.main()",
  "\tgo.etcd.io/etcd/server/main.go:31 +0x28",
];

test("etcd's reason is shown, which stands before a stack and with one", async () => {
  const end = [`${panic},"stacktrace":"go.etcd.io/etcd\\n\\traft.go:492"}`, "panic: failed to create WAL", ...stack];
  const lines = await shown(...Array.from({ length: 50 }, () => info), ...end, info, ...end);
  expect(lines).toContain(`${panic}}`);
  expect(lines).toContain("panic: failed to create WAL");
  expect(lines.filter((line) => /goroutine|\.go:|main\(\)/.test(line))).toEqual([]);
});

test("a usage text does not hide what was wrong, and what follows a stack is shown", async () => {
  const usage = Array.from({ length: 40 }, (_, n) => `  --flag-${n}  something`);
  for (const error of ["Error: unknown flag: --x", "flag provided but not defined: -x"]) {
    expect(await shown(error, ...usage)).toContain(error);
  }
  expect((await shown(...stack, "goodbye")).at(-1)).toBe("goodbye");
});
