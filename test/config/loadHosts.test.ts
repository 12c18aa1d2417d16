import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configPrint, configValidate } from "../../src/commands/config.js";
import { loadOptions, type OptionSources } from "../../src/config/loadOptions.js";
import type { CommandName } from "../../src/config/optionTable.js";
import { type Problem, TsdeployError } from "../../src/model/errors.js";
import type { UpOptions } from "../../src/model/options.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { RunContext } from "../../src/report/runContext.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsdeploy-hosts-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

interface Input {
  readonly flags?: OptionSources["flags"];
  readonly env?: NodeJS.ProcessEnv;
  readonly warn?: (message: string) => void;
}

function load(yaml: string, { flags, env, warn }: Input = {}, command: CommandName = "up"): Promise<UpOptions> {
  writeFileSync(join(folder, "cluster.yaml"), yaml);
  return loadOptions(command as "up", {
    flags: { clusterFile: "cluster.yaml", ...flags },
    env: { HOME: folder, ...env },
    cwd: folder,
    ...(warn && { warn }),
    readStdin: () => Promise.resolve(""),
  });
}

async function problems(yaml: string, input: Input = {}, command: CommandName = "up"): Promise<readonly Problem[]> {
  try {
    await load(yaml, input, command);
  } catch (error) {
    if (error instanceof TsdeployError && error.kind === "usage") return error.problems;
    throw error;
  }
  return [];
}

async function said(yaml: string, input: Input = {}, command: CommandName = "up"): Promise<string[]> {
  return (await problems(yaml, input, command)).map(({ code, message }) => `${code} ${message}`);
}

const lab = `clusterName: lab
k8sVersion: v1.20.2
podCidr: 10.200.0.0/16
nodeLabels:
  site: here
extraArgs:
  kubelet:
    v: "4"
hosts:
  - role: master
    dockerHost: ssh://root@10.0.0.5
  - role: worker
    dockerHost: tcp://10.0.0.6:2376
    tlsFolder: tls/six
    nodeName: node-six
    ip: 10.1.0.6
    nodeLabels:
      disk: ssd
    nodeTaints: [dedicated=db:NoSchedule]
    extraArgs:
      kubelet:
        max-pods: "50"
  - role: worker
    dockerContext: seven
`;

describe("hosts of a file", () => {
  it("are a master and workers, each with the file's options and its own", async () => {
    const { hosts } = await load(lab);
    expect(hosts.masters[0]).toMatchObject({ name: "10.0.0.5", role: "master" });
    expect(hosts.masters[0].options).toMatchObject({
      clusterName: "lab",
      k8sVersion: "v1.20.2",
      dockerHost: "ssh://root@10.0.0.5",
      nodeLabels: { site: "here" },
    });
    const [six, seven] = hosts.workers;
    expect(six).toMatchObject({ name: "node-six", tlsFolder: join(folder, "tls/six") });
    expect(six?.options).toMatchObject({
      ip: ["10.1.0.6"],
      nodeLabels: { site: "here", disk: "ssd" },
      nodeTaints: [{ key: "dedicated", value: "db", effect: "NoSchedule" }],
      extraArgs: { kubelet: { v: "4", "max-pods": "50" } },
    });
    expect(seven).toMatchObject({ name: "seven", options: { dockerContext: "seven", nodeLabels: { site: "here" } } });
    expect(seven?.options).not.toHaveProperty("dockerHost");
  });

  it("get flags and variables of the run, and none of another host", async () => {
    const env = { TSDEPLOY_NODE_NAME: "all", DOCKER_HOST: "tcp://10.9.9.9", TSDEPLOY_TIMEOUT: "7m", TSDEPLOY_POD_CIDR: "10.7.0.0/16" };
    const { hosts, parallel } = await load(lab, { env, flags: { dryRun: true, parallel: "3" } });
    expect(parallel).toBe(3);
    expect(hosts.masters[0].options).toMatchObject({ dryRun: true, timeoutMs: 420_000, podCidr: ["10.200.0.0/16"] });
    expect(hosts.masters[0].options.nodeName).toBeUndefined();
    expect(hosts.workers[1]?.options).toMatchObject({ dryRun: true, timeoutMs: 420_000 });
    expect(hosts.workers[1]?.options.dockerHost).toBeUndefined();
  });

  it.each<[CommandName, NodeJS.ProcessEnv, string[]]>([
    ["up", { TSDEPLOY_NETWORK: "bridge" }, ["TSDEPLOY_NETWORK means nothing here: cluster.yaml says the options of its hosts"]],
    [
      "upgrade apply",
      { TSDEPLOY_K8S_VERSION: "v1.21.0", TSDEPLOY_NODE_NAME: "x", TSDEPLOY_TOKEN: "secret", TSDEPLOY_CONFIG: "other.yaml" },
      [
        "TSDEPLOY_TOKEN, TSDEPLOY_K8S_VERSION, TSDEPLOY_NODE_NAME, TSDEPLOY_CONFIG mean nothing here: " +
          "cluster.yaml says the options of its hosts",
      ],
    ],
    ["down", { TSDEPLOY_NETWORK: "", TSDEPLOY_TIMEOUT: "7m", TSDEPLOY_PARALLEL: "3", DOCKER_HOST: "tcp://10.9.9.9" }, []],
    ["up", { TSDEPLOY_CLUSTER_FILE: "cluster.yaml", TSDEPLOY_KUBECONFIG: "none", TSDEPLOY_ARCH: "amd64" }, []],
    ["status", { TSDEPLOY_NETWORK: "bridge" }, []],
  ])("of a file, `%s` says once which variables %j mean nothing to them", async (command, env, warnings) => {
    const heard: string[] = [];
    await load(lab, { env, warn: (message) => heard.push(message) }, command);
    expect(heard).toEqual(warnings);
  });

  it("may have several masters, which makes the cluster one of several; kubectl goes to the first", async () => {
    const master = (name: string): string => `- {role: master, dockerContext: ${name}}\n`;
    const { hosts } = await load(`hosts:\n${["a", "b", "c"].map(master).join("")}- {role: worker, dockerContext: d}\n`);
    expect(hosts.masters.map(({ name, options }) => [name, options.severalMasters, options.given.has("severalMasters")]))
      .toEqual(["a", "b", "c"].map((name) => [name, true, true]));
    expect(hosts.masters.map(({ options }) => options.kubeconfig !== undefined)).toEqual([true, false, false]);
    expect(hosts.workers.map(({ name }) => name)).toEqual(["d"]);
    const one = await load(`hosts:\n${master("a")}`);
    expect(one.hosts.masters.map(({ options }) => options.severalMasters)).toEqual([false]);
  });

  it("have patches of their own, in folders beside the file", async () => {
    mkdirSync(join(folder, "six"));
    writeFileSync(join(folder, "six/kubeletconfiguration.yaml"), "maxPods: 10\n");
    const { hosts } = await load(lab.replace("nodeName: node-six", "nodeName: node-six\n    patches: six"));
    expect(hosts.workers.map(({ options }) => options.patches.length)).toEqual([1, 0]);
    expect(hosts.masters[0].options.patches).toEqual([]);
  });

  it("of two Dockers on one machine are called by their endpoints", async () => {
    const { hosts } = await load(
      "hosts:\n- {role: master, dockerHost: 'tcp://10.0.0.5:1'}\n- {role: worker, dockerHost: 'tcp://10.0.0.5:2'}\n",
    );
    expect([hosts.masters[0].name, hosts.workers[0]?.name]).toEqual(["tcp://10.0.0.5:1", "tcp://10.0.0.5:2"]);
  });
});

describe("mistakes in a cluster's file", () => {
  it("are reported at once, each with line and column", async () => {
    const yaml = `podCidr: 10.100.0.0
clustername: lab
nodeName: all
hosts:
  - role: master
    dockerHost: http://10.0.0.5
    podCidr: 10.1.0.0/16
  - role: wroker
    dockerHost: ssh://root@10.0.0.6
    nodelabels: {}
  - role: worker
    ip: 10.0.0.300
  - nonsense
  - role: worker
    dockerHost: ssh://root@10.0.0.7
    dockerContext: seven
    tlsFolder: tls
    nodeLabels:
      "bad key": x
`;
    const found = (await said(yaml)).map((line) => line.replace(/(key of a label|is not an IPv4 network):.*/, "$1"));
    expect(found.sort()).toEqual(
      [
        'DOCKER_HOST_INVALID cluster.yaml:6:17: dockerHost: "http://10.0.0.5" is no Docker endpoint: the scheme http:// is not supported',
        "DOCKER_MISSING cluster.yaml:11:5: this host does not say where its Docker is",
        "HOST_INVALID cluster.yaml:13:5: is not a host (a map of its options)",
        'OPTION_CONFLICT cluster.yaml:16:5: dockerContext cannot be given beside dockerHost',
        "OPTION_CONFLICT cluster.yaml:17:5: tlsFolder is for a dockerHost of tcp://",
        'OPTION_INVALID cluster.yaml:12:9: ip: "10.0.0.300" is not an IP address',
        'OPTION_INVALID cluster.yaml:19:7: nodeLabels: "bad key" cannot be the key of a label',
        'OPTION_INVALID cluster.yaml:1:10: podCidr: "10.100.0.0" is not an IPv4 network',
        "OPTION_NOT_IN_FILE cluster.yaml:3:1: nodeName cannot be said of all hosts",
        "OPTION_NOT_OF_HOST cluster.yaml:7:5: podCidr is one for the whole cluster",
        'OPTION_UNKNOWN cluster.yaml:10:5: a host has no "nodelabels"',
        'OPTION_UNKNOWN cluster.yaml:2:1: there is no option "clustername"',
        'ROLE_INVALID cluster.yaml:8:11: "wroker" is no role',
      ].sort(),
    );
  });

  it.each([
    ["no hosts", "clusterName: lab\n", "HOSTS_MISSING cluster.yaml: has no hosts"],
    ["no list", "hosts: {a: b}\n", "HOSTS_MISSING cluster.yaml:1:8: is not a list of hosts"],
    ["no master", "hosts:\n- {role: worker, dockerContext: a}\n", "NO_MASTER cluster.yaml:1:1: none of the hosts is a master"],
    ["no role", "hosts:\n- {role: master, dockerContext: a}\n- {dockerContext: b}\n", "ROLE_INVALID cluster.yaml:3:3: this host has no role"],
    [
      "two masters of a cluster that is to have one",
      "severalMasters: no\nhosts:\n- {role: master, dockerContext: a}\n- {role: master, dockerContext: b}\n",
      "OPTION_CONFLICT cluster.yaml:1:17: a cluster of one master cannot have another one, at cluster.yaml:4:10",
    ],
    [
      "two masters of a version that knows no several",
      "k8sVersion: v1.10.13\nhosts:\n- {role: master, dockerContext: a}\n- {role: master, dockerContext: b}\n",
      expect.stringMatching(/^SEVERAL_MASTERS_UNSUPPORTED cluster.yaml:4:10: severalMasters: /),
    ],
    [
      "masters of two versions",
      "hosts:\n- {role: master, dockerContext: a, k8sVersion: v1.20.2}\n- {role: master, dockerContext: b}\n",
      "VERSION_SKEW cluster.yaml:2:48: this master would have another version than that at cluster.yaml:3:3",
    ],
    [
      "two masters of one address",
      "hosts:\n- {role: master, dockerContext: a, ip: 10.0.0.5}\n- {role: master, dockerContext: b, ip: 10.0.0.5}\n",
      "HOST_TWICE cluster.yaml:3:40: the host at cluster.yaml:2:40 has the same address, 10.0.0.5",
    ],
    [
      "two of one Docker",
      "hosts:\n- {role: master, dockerHost: 'ssh://a'}\n- {role: worker, dockerHost: 'ssh://a/'}\n",
      "HOST_TWICE cluster.yaml:3:30: the host at cluster.yaml:2:30 has the same Docker, ssh://a/",
    ],
    [
      "two of one name",
      "hosts:\n- {role: master, dockerContext: a, nodeName: n}\n- {role: worker, dockerContext: b, nodeName: n}\n",
      "HOST_TWICE cluster.yaml:3:46: the host at cluster.yaml:2:46 has the same name, n",
    ],
    [
      "two of one address",
      "hosts:\n- {role: master, dockerContext: a, ip: 10.0.0.5}\n- {role: worker, dockerContext: b, ip: 10.0.0.5}\n",
      "HOST_TWICE cluster.yaml:3:40: the host at cluster.yaml:2:40 has the same address, 10.0.0.5",
    ],
    [
      "two of one address among several",
      "hosts:\n- {role: master, dockerContext: a, ip: [10.0.0.5, 'fd00::5']}\n- {role: worker, dockerContext: b, ip: '10.0.0.6, fd00::5'}\n",
      "HOST_TWICE cluster.yaml:3:40: the host at cluster.yaml:2:40 has the same address, fd00::5",
    ],
    [
      "an address of pods",
      "podCidr: 10.0.0.0/16\nhosts:\n- {role: master, dockerContext: a}\n- {role: worker, dockerContext: b, ip: 10.0.0.5}\n",
      "RANGE_OVERLAP cluster.yaml:4:40: 10.0.0.5 is one of the cluster's pod or Service addresses",
    ],
    [
      "a worker newer than its master",
      "k8sVersion: v1.20.2\nhosts:\n- {role: master, dockerContext: a}\n- {role: worker, dockerContext: b, k8sVersion: v1.21.0}\n",
      "VERSION_SKEW cluster.yaml:4:48: a worker of v1.21.0 would be newer than its master, v1.20.2",
    ],
    [
      "a version that there is not, said once",
      "k8sVersion: v1.99.0\nhosts:\n- {role: master, dockerContext: a}\n- {role: worker, dockerContext: b}\n",
      expect.stringMatching(/^VERSION\w* cluster.yaml:1:13: k8sVersion: /),
    ],
  ])("%s", async (_, yaml, expected) => {
    expect(await said(yaml)).toEqual([expected]);
  });

  it("another cluster's own keys are not for a file of hosts", async () => {
    expect(await said(`master: 10.0.0.5\n${lab}`)).toEqual(["OPTION_NOT_IN_FILE cluster.yaml:1:1: master cannot be said of all hosts"]);
  });

  it("a file that is not there is named by the flag that named it", async () => {
    const missing = await said(lab, { flags: { clusterFile: "other.yaml" } });
    expect(missing).toEqual([expect.stringMatching(/^CONFIG_UNREADABLE --file: other.yaml cannot be read/)]);
  });

  it("without a file, and with another Docker", async () => {
    expect(await said(lab, { flags: { clusterFile: undefined } })).toEqual([
      "OPTION_MISSING --file: is needed: the file of the cluster, with its hosts",
    ]);
    expect(await said(lab, { flags: { dockerHost: "ssh://a", parallel: "0" } })).toEqual([
      "OPTION_CONFLICT --host: cannot be given together with --file",
      "OPTION_CONFLICT --parallel: of 0 would have no host done",
    ]);
  });

  it.each(["master", "worker", "teardown"] as const)("hosts are not left out by %s", async (command) => {
    const given = await said(lab, { flags: { clusterFile: undefined, config: "cluster.yaml", master: "10.0.0.5" } }, command);
    expect(given).toContain(`HOSTS_UNEXPECTED cluster.yaml:9:1: \`${command}\` is for one host`);
  });

  it("other commands take a file with hosts for its options", async () => {
    expect(await said(lab, { flags: { clusterFile: undefined, config: "cluster.yaml" } }, "image list")).toEqual([]);
  });
});

describe("config", () => {
  const warnings: string[] = [];
  const context = {
    report: (event: ReportEvent) => event.kind === "warning" && warnings.push(event.message),
  } as unknown as RunContext;

  it("validate says that an even number of masters is of no use, and of an odd one nothing", async () => {
    const masters = (count: number): string =>
      `hosts:\n${Array.from({ length: count }, (_, n) => `- {role: master, dockerContext: m${n}}\n`).join("")}`;
    const said = async (count: number): Promise<string[]> => {
      warnings.length = 0;
      await configValidate(await load(masters(count)), context);
      return [...warnings];
    };
    for (const odd of [1, 3, 5]) expect(await said(odd)).toEqual([]);
    expect(await said(2)).toEqual([expect.stringContaining("cluster.yaml:3:3: 2 masters can lose none, no more than 1")]);
    expect(await said(4)).toEqual([expect.stringContaining("4 masters can lose 1, no more than 3")]);
  });

  it("validate counts the hosts", async () => {
    const { text, data } = await configValidate(await load(lab), context);
    expect(text).toBe("No mistakes: master 10.0.0.5, 2 workers");
    expect(data).toEqual({ masters: ["10.0.0.5"], workers: ["node-six", "seven"] });
  });

  it("print shows what each host has in the end, and that can be read again", async () => {
    const before = await load(lab);
    const { text } = await configPrint(before);
    expect(text).toContain("serviceCidr: 10.96.0.0/12");
    expect(text).toMatch(/max-pods: "50"/);
    const again = await load(text);
    expect(again.hosts.masters[0].options).toMatchObject({ clusterName: "lab", podCidr: ["10.200.0.0/16"] });
    const own = ["nodeName", "ip", "nodeLabels", "nodeTaints", "extraArgs", "k8sVersion"] as const;
    for (const [index, { options }] of before.hosts.workers.entries()) {
      for (const key of own) expect(again.hosts.workers[index]?.options[key]).toEqual(options[key]);
    }
  });
});
