import { spawn } from "node:child_process";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { type Helper, openHelper } from "../../src/host/helperSession.js";

/** A helper whose program runs here, and has ended with its first script; the rest of Docker is the test's own. */
export async function helperHere(docker: Pick<ContainerEngine, "answerOf" | "exec">): Promise<Helper> {
  let isOver: () => void = () => undefined;
  const looked = new Promise<void>((resolve) => (isOver = resolve));
  const engine: Partial<ContainerEngine> = {
    ...docker,
    endpoint: "unix:///fake.sock",
    runAttached: (_name, { command }, onOutput) => {
      const [program = "", ...args] = command;
      const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
      const ended = new Set<string>();
      for (const stream of ["stdout", "stderr"] as const) {
        child[stream].on("data", (chunk: Buffer) => {
          onOutput?.(chunk, stream);
          if (chunk.toString().endsWith(" 000\n") && ended.add(stream).size === 2) isOver();
        });
      }
      return Promise.resolve({ id: "helper", stdin: child.stdin });
    },
    waitUntilRemoved: () => Promise.resolve(),
  };
  const look = { script: "true", name: "look", args: [] };
  const helper = await openHelper(engine as ContainerEngine, "a:1", { look });
  await looked;
  return helper;
}
