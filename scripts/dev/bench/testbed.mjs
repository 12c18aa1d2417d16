import { existsSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import semver from "semver";
import { BenchError, execute, root } from "./execute.mjs";

const script = (name) => join(root, "scripts/dev", name);
const machinesFolder = process.env.TSDEPLOY_MACHINES_DIR ?? "/run/tsdeploy-machines";

/** By its name what a killed run left is known as the bench's. */
const clusterName = "bench";

/** The built CLI. */
export const cli = join(root, "dist/cli.js");

/** The image of small pods. */
export const workloadImage = "tsdeploy/workload:test";

/** Interfaces by which the kernel shows that it has a backend of flannel; host-gw is nothing but routes. */
const backendLinks = {
  "host-gw": undefined,
  vxlan: ["vxlan", "id", "1", "dstport", "4789", "dev", "lo"],
  wireguard: ["wireguard"],
};

/** Machines with the images, and how to run commands on them. */
export async function prepareTestbed(options, home) {
  const { features, version } = await knownVersion(options.version, home);
  const image = options.binaries ? `tsdeploy/hyperkube-bench:${version}` : `tsdeploy/hyperkube:${version}`;
  // Else the master of `bare` would be looked for in the new home.
  const cache =
    process.env.TSDEPLOY_CACHE ?? join(process.env.XDG_CACHE_HOME ?? join(process.env.HOME, ".cache"), "tsdeploy");
  const kubeconfigs = { tsdeploy: join(home, "config"), bare: join(cache, "bare/admin.conf") };
  const environment = (endpoint) => ({
    ...process.env,
    HOME: home,
    XDG_STATE_HOME: home,
    KUBECONFIG: kubeconfigs.tsdeploy,
    DOCKER_HOST: endpoint,
    TSDEPLOY_IMAGE: image,
    // Where the bare limit has none either. Parts with more say so by flags.
    TSDEPLOY_DNS: process.env.TSDEPLOY_DNS ?? "false",
    TSDEPLOY_NETWORK: process.env.TSDEPLOY_NETWORK ?? "bridge",
    TSDEPLOY_CACHE: cache,
  });

  if (!existsSync(cli)) throw new BenchError("there is no dist/cli.js", { next: "npm run build" });
  await execute([script("docker")], { shows: true });
  if (options.binaries) {
    if (options.base === "tsdeploy/base:test") await execute([script("image"), "base"], { shows: true });
    const what = ["--k8s-version", version, "--binaries", options.binaries, "--base", options.base, "--tag", image];
    const env = environment("unix:///var/run/docker.sock");
    await execute([process.execPath, cli, "image", "build", ...what], { env, shows: true });
  } else if (version === "v1.20.2") {
    await execute([script("image")], { shows: true });
  }
  const machines = options.machines.map(String);
  const ipc = features.sandboxIpc === "daemon" ? "shareable" : "private";
  await execute([script("machines"), "up", "--only", machines.join(), "--ipc", ipc], { shows: true });
  await execute([script("machines"), "load", image, ...machines], {
    shows: true,
    next: `Name the programs to build the image ${image} from: --binaries DIR`,
  });
  if (options.hasPods) {
    await execute([script("image"), "workload"], { shows: true });
    await execute([script("machines"), "load", workloadImage, ...machines], { shows: true });
  }

  const env = (n) => environment(`unix://${machinesFolder}/${n}/docker.sock`);
  const docker = async (n, ...argv) => {
    const { stdout } = await execute(["docker", ...argv], { env: env(n), on: n });
    return stdout.split("\n").filter(Boolean);
  };
  const tsdeploy = async (n, ...args) => {
    const run = await execute([process.execPath, cli, ...args, "--output", "json"], { env: env(n), on: n });
    return { ...JSON.parse(run.stdout), wallMs: run.wallMs };
  };
  const programs = await programsOf(image, environment("unix:///var/run/docker.sock"));
  const backends = await backendsOf(machines[0]);
  const hasBare = semver.gte(version, "1.20.0");
  return {
    clusterName,
    machines,
    version,
    features,
    image,
    kubeconfigs,
    /** Of flannel, that this kernel has. */
    backends,
    /** The bare limit is v1.20's and newer ones'; what went before has upstream's own start to be measured against. */
    hasBare,
    /** Why what a part needs is not here; undefined if it is. */
    lack(need) {
      if (need === "bare") return hasBare ? undefined : "the bare side is for v1.20 and later";
      return programs.has(need) ? undefined : `${image} has no ${need}`;
    },
    env,
    docker,
    tsdeploy,
    /** A command on the machine itself, outside of its Docker. */
    onMachine: async (n, ...argv) => (await execute([script("machines"), "exec", n, ...argv], { on: n })).stdout,
    machinesScript: (args, more = {}) => execute([script("machines"), ...args], more),
    master: (...args) =>
      tsdeploy(machines[0], "master", "--k8s-version", version, "--cluster-name", clusterName, "--image", image, ...args),
    bare: async (n, ...args) => {
      const { stdout } = await execute([script("bare"), ...args], { env: env(n), on: n });
      return stdout.trim() === "" ? {} : JSON.parse(stdout);
    },
    wallMs: async (...argv) => (await execute([process.execPath, ...argv], { env: env(machines[0]) })).wallMs,
    /** Removes both sides from a machine, whatever is there of them; `always`: even when interrupted. */
    cleanUp: async (n, { always = false } = {}) => {
      const run = (argv) => execute(argv, { env: env(n), on: n, always });
      const owners = await run(["docker", "ps", "-a", "--format", '{{.Label "io.tsdeploy.cluster"}}']);
      const other = owners.stdout.split("\n").find((name) => name !== "" && name !== clusterName);
      if (other !== undefined) {
        const next = "Run `tsdeploy teardown` there if nobody needs it, or name other machines by --machines.";
        throw new BenchError(`machine ${n} is a node of the cluster ${other}`, { next });
      }
      if (await bareIsOn(n, run)) await run([script("bare"), "down"]);
      await run([process.execPath, cli, "teardown", "--purge", "--yes", "--force"]);
    },
  };
}

/** Its containers, or only the files of one that was prepared and never ran. */
async function bareIsOn(n, run) {
  const containers = await run(["docker", "ps", "-aq", "--filter", "name=^bare_"]);
  if (containers.stdout !== "") return true;
  const files = await run([script("machines"), "exec", n, "find", "/var/lib", "-maxdepth", "1", "-name", "tsdeploy-bare"]);
  return files.stdout !== "";
}

/** Names of those programs that an image has. */
async function programsOf(image, env) {
  const names = ["flanneld", "coredns"];
  const look = `for name in ${names.join(" ")}; do command -v "$name" >/dev/null && echo "$name"; done; true`;
  const { stdout } = await execute(["docker", "run", "--rm", "--network", "none", image, "sh", "-c", look], { env });
  return new Set(stdout.split("\n").filter(Boolean));
}

async function backendsOf(machine) {
  const has = async (...argv) => {
    try {
      await execute([script("machines"), "exec", machine, ...argv]);
      return true;
    } catch {
      return false;
    }
  };
  const found = [];
  for (const [name, link] of Object.entries(backendLinks)) {
    if (!link || (await has("unshare", "--net", "ip", "link", "add", "probe", "type", ...link))) found.push(name);
  }
  if (await has("test", "-e", "/dev/net/tun")) found.push("udp");
  return found;
}

/** What tsdeploy's own table says of a version; the bundle does not export it. */
async function knownVersion(text, home) {
  const outfile = join(home, "versions.mjs");
  const entryPoints = [join(root, "src/kubernetes/versions.ts")];
  await build({ entryPoints, outfile, bundle: true, platform: "node", format: "esm", logLevel: "silent" });
  const { featuresOf, resolveVersion } = await import(outfile);
  try {
    const version = resolveVersion(text);
    return { version, features: featuresOf(version) };
  } catch (error) {
    throw new BenchError(error.message, { next: "node dist/cli.js versions" });
  }
}
