import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CommandOptions, loadOptions, type OptionSources } from "../../src/config/loadOptions.js";
import { type CommandName, type OptionType, optionTable } from "../../src/config/optionTable.js";
import { defaultVersion } from "../../src/kubernetes/versions.js";
import { type Problem, TsdeployError } from "../../src/model/errors.js";

const token = `abcdef.0123456789abcdef.${"0a".repeat(32)}`;

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsdeploy-options-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

interface Input {
  readonly flags?: OptionSources["flags"];
  readonly env?: NodeJS.ProcessEnv;
  readonly yaml?: string;
  readonly stdin?: string;
}

function load<Command extends CommandName>(command: Command, input: Input = {}): Promise<CommandOptions[Command]> {
  if (input.yaml !== undefined) writeFileSync(join(folder, "cluster.yaml"), input.yaml);
  return loadOptions(command, {
    flags: { ...(input.yaml === undefined ? {} : { config: "cluster.yaml" }), ...input.flags },
    env: { HOME: folder, ...input.env },
    cwd: folder,
    readStdin: () => Promise.resolve(input.stdin ?? ""),
  });
}

async function problems(command: CommandName, input: Input): Promise<readonly Problem[]> {
  try {
    await load(command, input);
  } catch (error) {
    if (error instanceof TsdeployError && error.kind === "usage") return error.problems;
    throw error;
  }
  return [];
}

async function messages(command: CommandName, input: Input): Promise<string[]> {
  return (await problems(command, input)).map(({ message }) => message);
}

/** Values that no option of a type takes, one for each thing that can be wrong with it. */
const wrongValues: Readonly<Record<OptionType, readonly (string | readonly string[])[]>> = {
  boolean: ["maybe"],
  text: [" "],
  choice: ["zzzzzzzz"],
  choices: [["zzzzzzzz"]],
  count: ["some", "-1"],
  mtu: ["some", "70000"],
  maskSizes: ["some", ",", "24,64,64"],
  interface: ["a/b"],
  duration: ["30", "soon", "0s", "5000d"],
  ranges: ["here", "10.1.2.3/16", "127.0.0.0/16", ",", "10.0.0.0/16,10.1.0.0/16", "fd00::/64", "fd00::/64,10.0.0.0/16"],
  addresses: ["here", "127.0.0.1", ",", "10.0.0.5,10.0.0.6", "fd00::5", "fd00::5,10.0.0.5"],
  apiserver: ["https://here"],
  dockerHost: ["banana://x", "ssh://"],
  nodeName: ["Node_1", "Node-1", "n".repeat(64)],
  clusterName: ["My_cluster", "Mine", "c".repeat(64)],
  domain: ["a b", "Cluster.Local."],
  version: ["latest", "v9.9.9"],
  image: ["https://x/y"],
  registry: ["https://x"],
  registryMirrors: [["a.b"], ["a.b=https://x"], ["a.b=c.d", "a.b=e.f"]],
  url: ["here", "https://me:word@x"],
  names: [["a b"]],
  labels: [["a"], ["-a=b"], ["a=b c"], ["a=1", "a=2"]],
  taints: [["a"], ["-a:NoExecute"], ["a=b c:NoExecute"], ["a:Never"], ["a:NoExecute", "a:NoExecute"]],
  extraArgs: [["a"], ["zzzzzzzz:v=1"], ["kubelet:--v=1"], ["kubelet:a_b=1"]],
  path: [" "],
  folder: [" "],
  patches: [" ", "none"],
  addons: [" ", "none"],
  optionalPath: [" "],
  component: [" "],
  secret: [" ", "no token"],
  tokenId: ["no token"],
  // Any text will do.
  hosts: [],
  words: [],
};

/** What is said about one flag of master, hints included. */
async function said(flag: string, value: string | readonly string[]): Promise<string> {
  const list = await problems("master", { flags: { [flag]: value } });
  return list.map(({ message, hint }) => `${message} ${hint}`).join("\n");
}

describe("a duration", () => {
  it.each(["timeout", "pullTimeout"])("that is waited for, %s, is no longer than a timer can be", async (flag) => {
    expect(await said(flag, "7d")).toBe("");
    expect(await said(flag, "7d1s")).toContain('"7d1s" is more than a week Write 7d or less.');
  });

  it("of something that is valid may be as long as the CA lives", async () => {
    expect(await said("tokenTtl", "3650d")).toBe("");
    expect(await said("tokenTtl", "3651d")).toContain("more than ten years");
  });
});

describe("where options come from", () => {
  it("has defaults", async () => {
    const options = await load("master");
    expect(options).toMatchObject({
      clusterName: "tsdeploy",
      podCidr: ["10.244.0.0/16"],
      serviceCidr: ["10.96.0.0/12"],
      clusterDomain: "cluster.local",
      network: "flannel",
      networkBackend: "vxlan",
      restartPolicy: "always",
      timeoutMs: 120_000,
      pullTimeoutMs: 900_000,
      tokenTtlMs: 86_400_000,
      apiserverSans: [],
      insecureApi: false,
      proxyMode: "iptables",
      registryMirrors: {},
      nodeLabels: {},
      nodeTaints: [],
      extraArgs: {},
      patches: [],
      dryRun: false,
      output: "text",
      yes: false,
      kubeconfig: join(folder, ".kube/config"),
    });
    expect(options).not.toHaveProperty("k8sVersion");
    expect(options).not.toHaveProperty("dockerHost");
    expect([...options.given]).toEqual([]);
  });

  it("takes flags before variables before the file", async () => {
    const yaml = "podCidr: 10.1.0.0/16\nclusterName: file\nclusterDomain: file.local\n";
    const options = await load("master", {
      yaml,
      env: { TSDEPLOY_POD_CIDR: "10.2.0.0/16", TSDEPLOY_CLUSTER_NAME: "variable" },
      flags: { podCidr: "10.3.0.0/16" },
    });
    expect(options).toMatchObject({ podCidr: ["10.3.0.0/16"], clusterName: "variable", clusterDomain: "file.local" });
    expect([...options.given].sort()).toEqual(["clusterDomain", "clusterName", "config", "podCidr"]);
  });

  it("reads every kind of value from the file as it does from flags", async () => {
    const fromFlags = await load("master", {
      flags: {
        nodeLabels: ["disk=ssd", "rack=2,room=a"],
        nodeTaints: ["dedicated=db:NoSchedule", "spot:NoExecute"],
        extraArgs: ["apiserver:service-node-port-range=80-32767", "kube-proxy:v=4"],
        apiserverSans: ["k8s.example.com", "192.0.2.1"],
        registryMirrors: ["registry.k8s.io=mirror.lab:5000/k8s,docker.io=mirror.lab:5000"],
        mirror: "https://files.lab/mirror/",
        proxyMode: "ipvs",
        insecureApi: true,
        k8sVersion: "1.19.4",
        timeout: "1m30s",
        dryRun: true,
      },
    });
    const fromFile = await load("master", {
      flags: { dryRun: true },
      yaml: `
k8sVersion: v1.19.4
registryMirrors:
  registry.k8s.io: mirror.lab:5000/k8s
  docker.io: mirror.lab:5000
mirror: https://files.lab/mirror
proxyMode: ipvs
insecureApi: true
nodeLabels: {disk: ssd, rack: 2, room: a}
nodeTaints:
  - dedicated=db:NoSchedule
  - {key: spot, effect: NoExecute}
extraArgs:
  apiserver: {service-node-port-range: 80-32767}
  proxy: {v: 4}
apiserverSans: [k8s.example.com, 192.0.2.1]
timeout: 90s
`,
    });
    expect(fromFile).toEqual({ ...fromFlags, given: fromFile.given });
    expect(fromFile).toMatchObject({ k8sVersion: "v1.19.4", insecureApi: true, mirror: "https://files.lab/mirror" });
    expect(fromFile.registryMirrors).toEqual({ "registry.k8s.io": "mirror.lab:5000/k8s", "docker.io": "mirror.lab:5000" });
    expect(fromFile.nodeTaints).toEqual([
      { key: "dedicated", value: "db", effect: "NoSchedule" },
      { key: "spot", effect: "NoExecute" },
    ]);
    expect(fromFile.timeoutMs).toBe(90_000);
  });

  it("keeps the text of YAML numbers", async () => {
    const { extraArgs } = await load("master", { yaml: "extraArgs: {kubelet: {a: 1.10, b: 0x1F, c: true}}\n" });
    expect(extraArgs.kubelet).toEqual({ a: "1.10", b: "0x1F", c: "true" });
  });

  it("lets one file serve master and workers", async () => {
    const yaml = "master: 10.0.0.5\npodCidr: 10.1.0.0/16\nextraArgs: {apiserver: {v: 2}, kubelet: {v: 3}}\n";
    expect((await load("worker", { yaml })).master).toBe("10.0.0.5");
    expect((await load("master", { yaml })).podCidr).toEqual(["10.1.0.0/16"]);
  });

  it("counts an empty variable as not given", async () => {
    expect((await load("master", { env: { TSDEPLOY_POD_CIDR: "" } })).podCidr).toEqual(["10.244.0.0/16"]);
  });

  it("leaves the kubeconfig alone if asked to", async () => {
    expect(await load("master", { flags: { kubeconfig: false } })).not.toHaveProperty("kubeconfig");
    expect(await load("master", { yaml: "kubeconfig: none\n" })).not.toHaveProperty("kubeconfig");
  });

  it("takes back by a flag what the file says", async () => {
    const options = await load("master", { yaml: "insecureApi: true\n", flags: { insecureApi: false } });
    expect(options.insecureApi).toBe(false);
    expect(options.given.has("insecureApi")).toBe(true);
  });

  it("finds paths of the file beside the file", async () => {
    mkdirSync(join(folder, "patches"));
    mkdirSync(join(folder, "sub"));
    writeFileSync(join(folder, "sub/c.yaml"), "patches: ../patches\nkubeconfig: ~/own\n");
    writeFileSync(join(folder, "patches/kubelet.json"), "{}");
    const options = await load("master", { flags: { config: "sub/c.yaml" } });
    expect(options.patches).toHaveLength(1);
    expect(options.kubeconfig).toBe(join(folder, "own"));
  });

  it("prefers a flag's Docker to a variable's", async () => {
    const env = { DOCKER_HOST: "tcp://10.0.0.1:2376" };
    expect(await load("status", { env })).toMatchObject({ dockerHost: "tcp://10.0.0.1:2376" });
    const options = await load("status", { env, flags: { dockerContext: "rack" } });
    expect(options.dockerContext).toBe("rack");
    expect(options.dockerHost).toBeUndefined();
  });
});

describe("what is wrong", () => {
  it("is told all at once, each with its place", async () => {
    const yaml = "podCidr: 10.244.0.0/16\nserviceCidr: banana\nbananas: 3\ntimeout: 30\nclusterDomian: x\n";
    const list = await messages("master", {
      yaml,
      flags: { ip: "300.1.1.1", k8sVersion: "v9.9.9" },
      env: { TSDEPLOY_NODE_NAME: "-x" },
    });
    expect(list).toHaveLength(7);
    expect(list.join("\n")).toMatch(/^cluster\.yaml:2:14: serviceCidr: "banana"/m);
    expect(list.join("\n")).toMatch(/^cluster\.yaml:3:1: .*"bananas"/m);
    expect(list.join("\n")).toMatch(/^cluster\.yaml:4:10: timeout: "30"/m);
    expect(list.join("\n")).toMatch(/^cluster\.yaml:5:1: .*"clusterDomian"/m);
    expect(list.join("\n")).toMatch(/^--ip: "300.1.1.1"/m);
    expect(list.join("\n")).toMatch(/^--k8s-version: .*v9\.9\.9/m);
    expect(list.join("\n")).toMatch(/^TSDEPLOY_NODE_NAME: "-x"/m);
  });

  it("gets a guess of what was meant", async () => {
    const [problem] = await problems("master", { yaml: "podCdr: 10.0.0.0/16\n" });
    expect(problem?.hint).toContain("podCidr");
    expect(await said("network", "brigde")).toContain("Did you mean bridge?");
  });

  it("names places within lists and maps", async () => {
    const yaml = "nodeTaints:\n  - a=b:NoExecute\n  - a=b:Never\nextraArgs:\n  kubelet:\n    v: 1\n  kublet:\n    v: 1\n";
    const list = await messages("master", { yaml });
    expect(list).toHaveLength(2);
    expect(list[0]).toMatch(/^cluster\.yaml:3:5: nodeTaints: "Never"/);
    expect(list[1]).toMatch(/^cluster\.yaml:7:3: extraArgs: "kublet"/);
  });

  it.each([
    ["podCidr: [a\n", /^cluster\.yaml:\d+:\d+: /],
    ["podCidr: 10.0.0.0/16\npodCidr: 10.1.0.0/16\n", /^cluster\.yaml:2:1: .*unique/],
    ["- podCidr\n", /^cluster\.yaml: is not a map/],
    ["podCidr: [10.0.0.0/16, 10.1.0.0/33]\n", /^cluster\.yaml:1:24: podCidr: "10.1.0.0\/33" is not an IPv4 network/],
    ["podCidr: {a: b}\n", /^cluster\.yaml:1:10: podCidr: takes networks/],
    ["nodeLabels: {a: [b]}\n", /^cluster\.yaml:1:17: nodeLabels: the value of "a" has to be text/],
  ])("of the YAML %j has line and column", async (yaml, expected) => {
    expect(await messages("master", { yaml })).toEqual([expect.stringMatching(expected)]);
  });

  it.each(
    optionTable.flatMap(({ key, flag, argument, type, commands: [command = "master"] }) =>
      wrongValues[type].map((value) => [command, flag ?? argument ?? key, value, key] as const),
    ),
  )("has a next step: %s, %s %j", async (command, name, value, key) => {
    const list = await problems(command, { flags: { [key]: value } });
    expect(list.map(({ message }) => message).join("\n")).toContain(name);
    for (const { hint, message } of list) expect(hint, message).toMatch(/\w.*[.?]$/);
  });

  it.each(
    optionTable
      .filter(({ inFile }) => inFile)
      .flatMap(({ key, commands: [command = "master"] }) => [
        [command, `${key}: {a: {b: c}}`],
        [command, `${key}: [{a: b}]`],
      ] as const),
  )("has a next step in a file as well: %s, %s", async (command, yaml) => {
    const list = await problems(command, { yaml });
    expect(list.map(({ message }) => message).join("\n")).toContain("cluster.yaml:1:");
    for (const { hint, message } of list) expect(hint, message).toMatch(/\w.*[.?]$/);
  });

  it("includes a file that is not there", async () => {
    const [message] = await messages("master", { flags: { config: "none.yaml" } });
    expect(message).toContain("none.yaml");
    expect(message).toContain("no such file");
  });

  it("includes what belongs to one run and stands in the file", async () => {
    const list = await problems("teardown", { yaml: "purge: true\n" });
    expect(list).toEqual([expect.objectContaining({ code: "OPTION_NOT_IN_FILE" })]);
  });

  it.each([
    ["podCidr", "10.244.1.0/16", "10.244.0.0/16"],
    ["podCidr", "10.244.0.0", "IPv4 network"],
    ["podCidr", "10.244.0.0/33", "10.244.0.0/33"],
    ["podCidr", "010.0.0.0/16", "IPv4 network"],
    ["podCidr", "fd00::/64", "of IPv6 alone"],
    ["podCidr", "fd00::/64,10.244.0.0/16", "10.244.0.0/16,fd00::/64"],
    ["podCidr", "10.244.0.0/16,10.245.0.0/16", "more than one of each"],
    ["podCidr", "10.244.0.0/16,fd00::/56,fd01::/56", "more than one of each"],
    ["podCidr", "10.244.0.0/16,fd00::1/56", "fd00::/56"],
    ["podCidr", "10.244.0.0/16,fd00::/121", "/120"],
    ["podCidr", "10.244.0.0/16,fe80::/56", "link-local"],
    ["podCidr", "10.244.0.0/16,fd00::/129", "IPv6 network"],
    ["podCidr", ",", "is empty"],
    ["serviceCidr", "10.96.0.0/16,fd00:10:96::/107", "/108"],
    ["serviceCidr", "10.96.0.0/16,fd00:10:96::/125", "/124"],
    ["podCidr", "10.244.0.0/26", "/24"],
    ["podCidr", "127.0.0.0/16", "loopback"],
    ["serviceCidr", "10.0.0.0/8", "/12"],
    ["serviceCidr", "10.96.0.0/29", "/28"],
    ["ip", "127.0.0.1", "127.0.0.0/8"],
    ["ip", "10.244.3.4", "10.244.0.0/16"],
    ["ip", "::1", "::/8"],
    ["ip", "fd00::5", "of IPv6 alone"],
    ["ip", "10.0.0.5,fe80::5", "link-local"],
    ["ip", "10.0.0.5,10.0.0.6", "more than one of each"],
    ["ip", "10.0.0.five", "not an IP address"],
    ["clusterDomain", "Cluster.Local.", "cluster.local"],
    ["nodeName", "Node_1", "node's name"],
    ["nodeName", "Node-1", "Did you mean node-1?"],
    ["nodeLabels", ["a"], "key=value"],
    ["nodeLabels", ["-a=b"], "-a"],
    ["nodeLabels", ["a=b c"], "b c"],
    ["nodeLabels", ["a=1", "a=2"], "twice"],
    ["nodeTaints", ["a=b"], "key=value:Effect"],
    ["nodeTaints", ["a=b:NoSchedule", "a=c:NoSchedule"], "twice"],
    ["extraArgs", ["apiserver:--v=1"], "without dashes"],
    ["extraArgs", ["kublet:v=1"], "Did you mean kubelet?"],
    ["extraArgs", ["v=1"], "component:flag=value"],
    ["apiserverSans", ["a b"], "DNS name"],
    ["timeout", "0s", "no time"],
    ["timeout", "5 minutes", "90s"],
    ["k8sVersion", "latest", "latest"],
    ["image", "https://x/y", "image reference"],
    ["image", `${"a".repeat(240)}:v1`, "image reference"],
    ["registry", "https://registry.example.com", "no https://"],
    ["registryMirrors", ["registry.k8s.io"], "registry.k8s.io=mirror.example.com:5000/k8s"],
    ["registryMirrors", ["registry.k8s.io=https://mirror.lab"], "no https://"],
    ["registryMirrors", ["UPPER=mirror.lab"], "UPPER"],
    ["registryMirrors", ["a.b=c.d", "a.b=e.f"], "twice"],
    ["mirror", "files.lab", "https://mirror.example.com/files"],
    ["mirror", "ftp://files.lab", "ftp://files.lab"],
    ["mirror", "https://files.lab/?a=b", "server's URL"],
    ["proxyMode", "iptable", "Did you mean iptables?"],
    ["dockerHost", "banana://x", "banana"],
    ["restartPolicy", "no", "unless-stopped"],
    ["output", "yaml", "json"],
  ])("is seen in %s %j", async (flag, value, expected) => {
    expect(await said(flag, value)).toContain(expected);
  });

  it("is shown by its beginning if it is long", async () => {
    expect((await said("registry", "X".repeat(5000))).length).toBeLessThan(600);
  });

  it("does not show the password of a mirror", async () => {
    const list = await problems("master", { flags: { mirror: "https://me:pass-word@files.lab" } });
    expect(list).toEqual([expect.objectContaining({ message: expect.stringContaining("a password") as string })]);
    expect(JSON.stringify(list)).not.toContain("pass-word");
  });

  it.each([
    [{ insecureApi: true, k8sVersion: "v1.20.0" }, "--insecure-api"],
    [{ insecureApi: true, k8sVersion: "v1.36.2" }, "v1.36.2"],
    [{ proxyMode: "ipvs", k8sVersion: "v1.6.0" }, "--proxy-mode"],
    [{ proxyMode: "nftables", k8sVersion: "v1.20.2" }, "nftables"],
    [{ extraArgs: ["apiserver:anonymous-auth=false"], k8sVersion: "v1.20.2" }, "401"],
  ])("includes what the version does not have: %j", async (flags, expected) => {
    expect(await messages("master", { flags })).toEqual([expect.stringContaining(expected)]);
  });

  it.each([
    { insecureApi: true, k8sVersion: "v1.19.16" },
    { insecureApi: true },
    { proxyMode: "nftables", k8sVersion: "v1.36.2" },
    { proxyMode: "ipvs", k8sVersion: "v1.20.2" },
  ])("does not include %j: the version has it, or is not known yet", async (flags) => {
    expect(await messages("master", { flags })).toEqual([]);
  });

  it("says of two address families what does not go with them, all at once", async () => {
    const dual = { podCidr: "10.244.0.0/16,fd00:10:244::/56", serviceCidr: "10.96.0.0/16,fd00:10:96::/112" };
    const options = await load("master", { flags: { ...dual, ip: "10.0.0.5,FD77:0::5" } });
    expect(options).toMatchObject({
      podCidr: ["10.244.0.0/16", "fd00:10:244::/56"],
      serviceCidr: ["10.96.0.0/16", "fd00:10:96::/112"],
      ip: ["10.0.0.5", "fd77::5"],
    });
    const inYaml = "podCidr: [10.244.0.0/16, 'fd00:10:244::/56']\n";
    expect((await load("master", { yaml: inYaml })).podCidr).toEqual(["10.244.0.0/16", "fd00:10:244::/56"]);

    expect((await load("master", { flags: { ...dual, nodeCidrMaskSize: "25,72" } })).nodeCidrMaskSize).toEqual([25, 72]);
    expect((await load("master", { yaml: "nodeCidrMaskSize: 26\n" })).nodeCidrMaskSize).toEqual([26]);
    expect(await messages("master", { flags: { nodeCidrMaskSize: "x" } })).toHaveLength(1);
    const [small] = await messages("master", { flags: { podCidr: "11.0.0.0/8", nodeCidrMaskSize: "26" } });
    expect(small).toMatch(/^--node-cidr-mask-size: 11\.0\.0\.0\/8 has more than 65536 parts of \/26/);

    const flags = { ...dual, k8sVersion: "v1.19.16", networkBackend: "udp", networkMtu: "1200" };
    const list = (await messages("master", { flags })).join("\n");
    expect(list).toContain("Kubernetes has them from v1.20 on");
    expect(list).toContain("--network-backend: flannel's udp carries IPv4 alone");
    expect(list).toContain("--network-mtu: 1200 is too small for IPv6");

    const [uneven] = await messages("master", { flags: { ...dual, serviceCidr: "10.96.0.0/16" } });
    expect(uneven).toMatch(/^--service-cidr: has one range where --pod-cidr has two/);
    const [single] = await messages("master", { flags: { podCidr: "10.1.0.0/16", ip: "10.0.0.5,fd77::5" } });
    expect(single).toMatch(/^--ip: has two addresses/);
    const overlaps = await messages("master", { flags: { ...dual, podCidr: "10.244.0.0/16,fd00:10::/32" } });
    expect(overlaps.join()).toContain("fd00:10::/32 overlap the Service addresses fd00:10:96::/112");
    const inRange = await messages("master", { flags: { ...dual, ip: "10.0.0.5,fd00:10:244::5" } });
    expect(inRange.join()).toContain("fd00:10:244::5 is one of the pod addresses fd00:10:244::/56");
  });

  it("includes direct routing with a network that has nothing else", async () => {
    for (const flags of [{ networkBackend: "host-gw" }, { network: "bridge" }]) {
      const [complaint] = await messages("master", { flags: { ...flags, networkDirectRouting: true } });
      expect(complaint).toMatch(/^--network-direct-routing: direct routing is for flannel's vxlan/);
    }
    const said = await load("master", { flags: { networkDirectRouting: true } });
    expect(said.networkDirectRouting).toBe(true);
    expect((await load("master", { flags: {} })).networkDirectRouting).toBe(false);
  });

  it("includes ranges that overlap, whoever gave them", async () => {
    const list = await messages("master", { flags: { podCidr: "10.96.0.0/16" } });
    expect(list).toEqual([expect.stringMatching(/^--pod-cidr: .*10\.96\.0\.0\/16.*10\.96\.0\.0\/12.*default/)]);
    const other = await messages("master", { flags: { serviceCidr: "10.244.0.0/16" } });
    expect(other).toEqual([expect.stringMatching(/^--service-cidr: /)]);
  });

  it("includes labels that a kubelet may not give itself, with the line to run instead", async () => {
    const flags = { master: "10.0.0.5", nodeName: "n1", nodeLabels: ["node-role.kubernetes.io/worker="] };
    const [problem] = await problems("worker", { flags });
    expect(problem?.hint).toContain("kubectl label node n1 node-role.kubernetes.io/worker=");
    const allowed = ["topology.kubernetes.io/zone=a", "node.kubernetes.io/x=y", "example.com/x=y"];
    expect(await problems("worker", { flags: { ...flags, nodeLabels: allowed } })).toEqual([]);
  });

  it.each(["https://10.0.0.5", "10.0.0.5:70000", "10.0.0.256", "10.0.0.5/x", "a b", ""])(
    "includes %j as a master",
    async (master) => {
      expect(await messages("worker", { flags: { master } })).toEqual([expect.stringContaining("--master")]);
    },
  );

  it.each(["10.0.0.5", "10.0.0.5:7443", "master.example.com"])("does not include %j as a master", async (master) => {
    expect((await load("worker", { flags: { master } })).master).toBe(master);
  });

  it("includes a copy without a place to copy to", async () => {
    expect(await problems("image copy", {})).toEqual([expect.objectContaining({ code: "OPTION_MISSING" })]);
  });

  it("includes a worker without master", async () => {
    expect(await problems("worker", {})).toEqual([expect.objectContaining({ code: "OPTION_MISSING" })]);
  });

  it.each([
    ["logs", { follow: true, output: "json" }],
    ["kubeconfig", { merge: true, kubeconfig: false }],
    ["status", { dockerHost: "tcp://a", dockerContext: "b" }],
    ["worker", { master: "10.0.0.5", token, tokenFile: "-" }],
    ["image save", { file: "-", output: "json" }],
    ["worker", { master: "10.0.0.5", extraArgs: ["apiserver:v=1"] }],
  ] as const)("includes what does not go together: %s %j", async (command, flags) => {
    expect(await problems(command, { flags })).toHaveLength(1);
  });
});

describe("commands for images", () => {
  it("build for the version that a new cluster gets, and leave that of a set to its image", async () => {
    expect((await load("image build")).k8sVersion).toBe(defaultVersion);
    for (const command of ["image save", "image copy"] as const) {
      const options = await load(command, { flags: { file: "x.tar", to: "ssh://other" } });
      expect(options.k8sVersion).toBeUndefined();
      expect(options.pullTimeoutMs).toBe(900_000);
    }
  });

  it("find files where they are named, and standard input and output as well", async () => {
    const build = await load("image build", { yaml: "binaries: ../bin\n" });
    expect(build.binaries).toBe(join(folder, "../bin"));
    expect(await load("image save", { flags: { file: "~/x.tar" } })).toMatchObject({ file: join(folder, "x.tar") });
    expect(await load("image load", { flags: { file: "x.tar" } })).toMatchObject({ file: join(folder, "x.tar") });
    expect(await load("image load", { flags: { file: "-" } })).toMatchObject({ file: "-" });
  });

  it("take a cluster's file", async () => {
    const yaml = "k8sVersion: v1.30.4\nregistryMirrors: {docker.io: mirror.lab}\npodCidr: 10.1.0.0/16\ntimeout: 5m\n";
    const options = await load("image build", { yaml, flags: { arch: "arm64" } });
    expect(options).toMatchObject({ k8sVersion: "v1.30.4", arch: "arm64", registryMirrors: { "docker.io": "mirror.lab" } });
    expect(options).not.toHaveProperty("timeoutMs");
  });
});

describe("join tokens", () => {
  const worker = { master: "10.0.0.5" };

  it("come from a flag, a variable, a file or standard input", async () => {
    writeFileSync(join(folder, "token"), `${token}\n`);
    expect((await load("worker", { flags: { ...worker, token } })).token).toBe(token);
    expect((await load("worker", { flags: worker, env: { TSDEPLOY_TOKEN: token } })).token).toBe(token);
    expect((await load("worker", { flags: { ...worker, tokenFile: "token" } })).token).toBe(token);
    expect((await load("worker", { flags: { ...worker, tokenFile: "-" }, stdin: `${token}\n` })).token).toBe(token);
    expect((await load("worker", { flags: worker })).token).toBeUndefined();
  });

  it("of a flag win over a file that a variable names", async () => {
    const env = { TSDEPLOY_TOKEN_FILE: "none" };
    expect((await load("worker", { flags: { ...worker, token }, env })).token).toBe(token);
  });

  it("are in no error", async () => {
    const broken = `${token}x`;
    const list = [
      await problems("worker", { flags: { ...worker, token: broken } }),
      await problems("worker", { flags: { ...worker, tokenFile: "-" }, stdin: broken }),
      await problems("worker", { flags: worker, yaml: `token: ${broken}\n` }),
      await problems("token revoke", { flags: { id: `A${broken}` } }),
    ];
    expect(list.map((each) => each.length)).toEqual([1, 1, 1, 1]);
    expect(JSON.stringify(list)).not.toContain("0123456789abcdef");
  });

  it("are revoked by id or by the whole", async () => {
    expect((await load("token revoke", { flags: { id: "abcdef" } })).id).toBe("abcdef");
    expect((await load("token revoke", { flags: { id: token } })).id).toBe("abcdef");
  });
});

describe("add-ons", () => {
  it("are known by their names", async () => {
    const [message] = await messages("addon enable", { flags: { addon: "metric-server" } });
    expect(message).toContain("is not one of coredns, dashboard, metrics-server");
    expect((await load("addon disable", { flags: { addon: "coredns" } })).addon).toBe("coredns");
  });

  it("takes several add-ons for the images that they need, and no other names", async () => {
    const flags = { enabledAddons: ["metrics-server,dashboard", "dashboard"] };
    expect(await load("image list", { flags })).toMatchObject({ enabledAddons: ["metrics-server", "dashboard"] });
    const [message] = await messages("image list", { flags: { enabledAddons: ["coredns"] } });
    expect(message).toContain('--addon: "coredns" is not one of dashboard, metrics-server');
  });

  it("of the person's own are read from a folder, and all that is wrong in it is told", async () => {
    mkdirSync(join(folder, "own"));
    const flags = { addons: "own" };
    writeFileSync(join(folder, "own/a.yaml"), "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n");
    expect((await load("master", { flags })).addons.map(({ name }) => name)).toEqual(["a.yaml"]);
    writeFileSync(join(folder, "own/b.yaml"), "b: [\n");
    writeFileSync(join(folder, "own/c.yaml"), "kind: ConfigMap\n");
    expect((await messages("master", { flags })).sort()).toEqual([
      expect.stringContaining("own/b.yaml: "),
      expect.stringContaining("own/c.yaml: a ConfigMap in it has no apiVersion and no metadata.name"),
    ]);
  });

  it("have DNS among them unless somebody goes without", async () => {
    expect((await load("master", {})).dns).toBe(true);
    expect((await load("master", { flags: { dns: false } })).dns).toBe(false);
    expect((await load("master", { env: { TSDEPLOY_DNS: "no" } })).dns).toBe(false);
  });
});

describe("an upgrade without a cluster's file", () => {
  it("is of the host that Docker's options name, whatever its role; nothing of a node counts as given", async () => {
    const env = { TSDEPLOY_K8S_VERSION: "v1.20.2", TSDEPLOY_TIMEOUT: "5m" };
    const flags = { dockerHost: "ssh://root@10.0.0.5", targetVersion: "1.21.0" };
    const { local, hosts, targetVersion } = await load("upgrade apply", { flags, env });
    expect([hosts, targetVersion]).toEqual([undefined, "v1.21.0"]);
    for (const host of [local?.master, local?.worker]) {
      expect(host?.options).toMatchObject({ dockerHost: "ssh://root@10.0.0.5", timeoutMs: 300_000 });
      expect(host?.options.k8sVersion).toBeUndefined();
      expect(host?.options.given.has("k8sVersion")).toBe(false);
    }
  });
});

describe("patches", () => {
  const patch = (name: string, text: string): void => {
    mkdirSync(join(folder, "patches"), { recursive: true });
    writeFileSync(join(folder, "patches", name), text);
  };
  const flags = { patches: "patches" };

  it("are read in the order of their names, as kubeadm names them", async () => {
    patch("apiserver1+merge.json", '{"metadata": {"labels": {"b": "2"}}}');
    patch("apiserver0+json.yaml", "- op: add\n  path: /metadata/labels/a\n  value: '1'\n");
    patch("kubeletconfiguration.yaml", "maxPods: 50\n---\nmaxOpenFiles: 5\n");
    patch("README.md", "not a patch");
    patch(".hidden.yaml", "not a patch");
    const { patches } = await load("master", { flags });
    expect(patches.map(({ target, type }) => [target, type])).toEqual([
      ["apiserver", "json"],
      ["apiserver", "merge"],
      ["kubeletconfiguration", "strategic"],
      ["kubeletconfiguration", "strategic"],
    ]);
    expect(patches[2]?.body).toEqual({ maxPods: 50 });
    expect(patches[0]?.file).toContain("apiserver0+json.yaml");
  });

  it("are all looked at before anything is said", async () => {
    patch("apiserver+jsn.yaml", "{}");
    patch("apiservice.yaml", "{}");
    patch("kubelet.json", "{");
    patch("scheduler.yaml", "a: [\n");
    patch("proxy.yml", "{}");
    const list = await messages("master", { flags });
    expect(list).toHaveLength(5);
    for (const message of list) expect(message).toMatch(/^--patches: .*patches\//);
  });

  it("have to be a folder that is there", async () => {
    expect(await messages("master", { flags })).toEqual([expect.stringContaining("no such file")]);
  });
});
