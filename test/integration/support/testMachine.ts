import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { connectEngine } from "../../../src/docker/connectEngine.js";
import type { ContainerEngine } from "../../../src/docker/containerEngine.js";

const run = promisify(execFile);
const scripts = "scripts/dev/machines";

/** A machine that the end-to-end tests do not use. */
const number = process.env["TSDEPLOY_TEST_MACHINE"] ?? "4";

export const hyperkube = "tsdeploy/hyperkube:v1.20.2";
export const machineName = `machine-${number}`;
export const machineAddress = `10.77.0.${10 + Number(number)}`;

/** The machine with the image, running. Refuses one that is in use: these tests would ruin what somebody has there. */
export async function freshMachine(): Promise<ContainerEngine> {
  await run(scripts, ["up", number]);
  const engine = await connectEngine(
    { dockerHost: `unix:///run/tsdeploy-machines/${number}/docker.sock` },
    process.env,
  );
  const [container] = await engine.listContainers();
  if (container !== undefined || (await sh("ls -d /etc/kubernetes 2>/dev/null || true")) !== "") {
    throw new Error(
      `${machineName} is in use (${container?.name ?? "/etc/kubernetes"}): ` +
        "clear it, or name another machine by TSDEPLOY_TEST_MACHINE",
    );
  }
  await run(scripts, ["load", hyperkube, number]);
  return engine;
}

/** Runs a Bash script on the machine, beside Docker's API. @returns its stdout, trimmed */
export async function sh(script: string): Promise<string> {
  const { stdout } = await run(scripts, ["exec", number, "bash", "-euc", script], { maxBuffer: 1e8 });
  return stdout.trim();
}
