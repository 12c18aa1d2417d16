import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { saveFootprint } from "./footprint.js";
import { type Machine, machine3, machines } from "./machine.js";
import { ownersFiles, ownersThings } from "./owner.js";
import { home, image, programsFolder, version, workFolder } from "./operator.js";
import { root, runOk } from "./run.js";

const images = [image, "tsdeploy/workload:test"];

/**
 * Makes three fresh machines with the images, each with another release of Docker. With TSDEPLOY_E2E_KEEP they are left
 * as an earlier run left them, so that one file of the suite can be run again by hand:
 * `TSDEPLOY_E2E_KEEP=1 npm run test:e2e -- security`.
 *
 * @returns what tells at the end which Dockers they were
 */
export async function setup(): Promise<() => Promise<void>> {
  if (!existsSync(join(root, "dist/cli.js"))) throw new Error("there is no dist/cli.js: run `npm run build` first");
  if (version === "v1.20.2") await runOk("scripts/dev/image", [], { timeoutMs: 3_600_000 });
  await runOk("scripts/dev/image", ["workload"]);
  if (process.env["TSDEPLOY_E2E_KEEP"]) return tellDockers;

  rmSync(workFolder, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  await copyPrograms();
  await makeMachines(machines);
  return tellDockers;
}

/** Fresh ones, in place of any that are there, with the images and what is their owner's. */
export async function makeMachines(made: readonly Machine[]): Promise<void> {
  const numbers = made.map(({ number }) => String(number));
  await runOk("scripts/dev/machines", ["down", ...numbers]);
  await runOk("scripts/dev/machines", ["unroutes", ...numbers]);
  for (const store of ["docker", "containerd"]) {
    const those = made.filter(({ imageStore }) => imageStore === store);
    if (those.length === 0) continue;
    const [only, suites] = [those.map(({ number }) => number).join(), those.map(({ suite }) => suite).join()];
    const up = ["up", "--only", only, "--suite", suites, "--or-older", "--image-store", store];
    await runOk("scripts/dev/machines", up, { timeoutMs: 3_600_000 });
  }
  await Promise.all(made.map(removeOtherImages));
  for (const name of images) await runOk("scripts/dev/machines", ["load", name, ...numbers]);
  await Promise.all(made.map((machine) => machine.sh(ownersFiles)));
  if (made.includes(machine3)) await machine3.sh(ownersThings);
  await Promise.all(made.map(saveFootprint));
}

/** Images outlive machines, and which of them are there decides what tsdeploy takes. */
async function removeOtherImages(machine: Machine): Promise<void> {
  const there = (await machine.docker("images", "--format", "{{.Repository}}:{{.Tag}}")).split("\n").filter(Boolean);
  const others = there.filter((name) => !images.includes(name) && !name.includes("<none>"));
  if (others.length > 0) await machine.docker("rmi", ...others);
  await machine.docker("image", "prune", "--force");
}

/** Takes the programs of the image out of it, for the tests. */
export async function copyPrograms(): Promise<void> {
  const docker = async (...args: string[]): Promise<string> => runOk("docker", args, { env: hostDocker });
  const id = (await docker("create", image, "true")).trim();
  await docker("cp", `${id}:/usr/local/bin`, programsFolder);
  await docker("rm", id);
}

/** This machine's Docker, whatever `machines env` was evaluated before. */
const hostDocker = { PATH: process.env["PATH"], DOCKER_HOST: "unix:///var/run/docker.sock" };

/** Says, and leaves in a file for `scripts/test`, what this run was about. */
async function tellDockers(): Promise<void> {
  const listed = (await runOk("scripts/dev/machines", ["list"])).split("\n").map((line) => line.split("\t"));
  const lines = machines.map(({ number, name, suite: wanted, imageStore }) => {
    const [, , , suite, docker] = listed.find(([listedNumber]) => listedNumber === String(number)) ?? [];
    const warning = suite === wanted ? "" : `  WARNING: ${wanted} could not be had, nothing was tried on its Docker`;
    const store = imageStore === "containerd" ? ", containerd keeps its images" : "";
    return `  ${name}  Docker ${docker} of Debian ${suite}${store}${warning}\n`;
  });
  const summary = `Kubernetes ${version} on\n${lines.join("")}`;
  writeFileSync(join(workFolder, "summary"), summary);
  console.log(`\n${summary}`);
}
