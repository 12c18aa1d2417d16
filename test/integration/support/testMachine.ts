import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { connectEngine } from "../../../src/docker/connectEngine.js";
import type { ContainerEngine } from "../../../src/docker/containerEngine.js";

const run = promisify(execFile);
const scripts = "scripts/dev/machines";

/** Machines that the end-to-end tests do not use; in a run of all tests their Dockers are of different releases. */
const number = process.env["TSDEPLOY_TEST_MACHINE"] ?? "4";
export const secondNumber = process.env["TSDEPLOY_TEST_MACHINE_2"] ?? "5";

export const hyperkube = "tsdeploy/hyperkube:v1.20.2";
export const machineName = `machine-${number}`;
export const machineAddress = `10.77.0.${10 + Number(number)}`;

/**
 * The machine with the image, running; `secondNumber` is another one. Refuses one that is in use: these tests would
 * ruin what somebody has there.
 */
export async function freshMachine(which = number): Promise<ContainerEngine> {
  await run(scripts, ["up", "--only", which]);
  const engine = await connectEngine({ dockerHost: `unix:///run/tsdeploy-machines/${which}/docker.sock` }, process.env);
  const [container] = await engine.listContainers();
  if (container !== undefined || (await sh("ls -d /etc/kubernetes 2>/dev/null || true", which)) !== "") {
    throw new Error(
      `machine-${which} is in use (${container?.name ?? "/etc/kubernetes"}): ` +
        `clear it, or name another machine by TSDEPLOY_TEST_MACHINE${which === secondNumber ? "_2" : ""}`,
    );
  }
  await run(scripts, ["load", hyperkube, which]);
  return engine;
}

/** Runs a Bash script on a machine, beside Docker's API. @returns its stdout, trimmed */
export async function sh(script: string, which = number): Promise<string> {
  const { stdout } = await run(scripts, ["exec", which, "bash", "-euc", script], { maxBuffer: 1e8 });
  return stdout.trim();
}
