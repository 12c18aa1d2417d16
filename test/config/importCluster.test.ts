import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { configImport } from "../../src/commands/configImport.js";
import { loadOptions } from "../../src/config/loadOptions.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { ConfigImportOptions, ConfigOptions } from "../../src/model/options.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { RunContext } from "../../src/report/runContext.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "tsdeploy-import-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

interface Imported {
  readonly text: string;
  readonly warnings: readonly string[];
  readonly file: { readonly hosts: readonly Record<string, unknown>[] } & Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
}

async function imported(yaml: string): Promise<Imported> {
  const path = join(folder, "cluster.yml");
  writeFileSync(path, yaml);
  const warnings: string[] = [];
  const report = (event: ReportEvent): void => {
    if (event.kind === "warning") warnings.push(event.message.replaceAll(`${folder}/`, ""));
  };
  const options = { importedFile: path } as ConfigImportOptions;
  const { text, data } = await configImport(options, { report } as unknown as RunContext);
  return { text, warnings, ...(data as Pick<Imported, "file" | "notes">) };
}

/** What `config validate` makes of what was printed. */
async function validated(text: string): Promise<ConfigOptions> {
  writeFileSync(join(folder, "ours.yaml"), text);
  const readStdin = () => Promise.resolve("");
  const flags = { clusterFile: "ours.yaml" };
  return loadOptions("config validate", { flags, env: { HOME: folder }, cwd: folder, readStdin });
}

async function refusal(yaml: string): Promise<string> {
  const error: unknown = await imported(yaml).then(() => undefined, (thrown: unknown) => thrown);
  if (!(error instanceof TsdeployError) || error.kind !== "usage") throw new Error("it was not refused");
  return error.problems.map(({ code, message, hint }) => `${code} ${message} ${hint}`).join("\n");
}

const simpleRke = `kubernetes_version: v1.20.15-rancher1-1
nodes:
  - {address: 10.1.0.5, user: ubuntu, role: [controlplane, etcd, worker]}
  - {address: 10.1.0.6, user: ubuntu, role: [worker]}
network: {plugin: flannel}
ingress: {provider: none}
`;

const largeRke = `cluster_name: shop
kubernetes_version: v1.20.15-rancher2-1
ssh_key_path: ~/.ssh/fleet
enable_cri_dockerd: true
nodes:
  - address: 203.0.113.5
    internal_address: 10.1.0.5
    user: rancher
    port: "2222"
    role: [controlplane, etcd]
    hostname_override: shop-1
    labels: {}
    ssh_key: |-
      -----BEGIN RSA PRIVATE KEY-----
      SECRET-KEY
  - address: shop-2.example.com
    role: [worker]
    docker_socket: /run/second.sock
    hostname_override: shop-2
    ssh_key_path: /home/u/.ssh/other
    labels: {disk: ssd, node-role.kubernetes.io/db: "true"}
    taints:
      - {key: dedicated, value: db, effect: NoSchedule}
  - address: shop-3.example.com
    ssh_key_path: /home/u/.ssh/other
    role: [etcd]
services:
  etcd:
    image: ""
    snapshot: true
    extra_args: {heartbeat-interval: 500}
  kube-api:
    service_cluster_ip_range: 10.43.0.0/16
    service_node_port_range: 30000-32000
    pod_security_policy: false
    always_pull_images: true
    extra_args: {v: 4}
  kube-controller: {cluster_cidr: 10.42.0.0/16, service_cluster_ip_range: 10.43.0.0/16}
  kubelet:
    cluster_domain: shop.local
    extra_binds: ["/data:/data"]
    extra_args: {max-pods: 200}
  kubeproxy: {extra_args: {v: 2}}
network:
  plugin: canal
  mtu: 1400
  options: {canal_iface: eth1, canal_flannel_backend_type: host-gw}
authentication: {strategy: x509, sans: [api.shop.example.com]}
authorization: {mode: rbac}
system_images: {etcd: "rancher/etcd:v3", alpine: "rancher/alpine:1"}
private_registries:
  - {url: registry.example.com/rke, user: robot, password: SECRET-PASSWORD, is_default: true}
bastion_host: {address: 203.0.113.1, user: jump, ssh_key: SECRET-KEY}
`;

const simpleK0s = `apiVersion: k0sctl.k0sproject.io/v1beta1
kind: Cluster
metadata: {name: edge}
spec:
  hosts:
    - role: controller+worker
      noTaints: true
      ssh: {address: 10.2.0.5, user: core, port: 22, keyPath: ~/.ssh/id}
    - role: worker
      ssh: {address: 10.2.0.6}
  k0s:
    version: v1.28.4+k0s.0
`;

const largeK0s = `apiVersion: k0sctl.k0sproject.io/v1beta1
kind: Cluster
metadata: {name: edge}
spec:
  hosts:
    - role: controller
      hostname: edge-1
      privateAddress: 10.2.0.5
      ssh:
        address: 203.0.113.5
        port: 2222
        bastion: {address: 203.0.113.1, user: jump}
      hooks: {apply: {before: [date]}}
    - role: worker
      openSSH: {address: edge-two}
      installFlags:
        - --labels=disk=ssd,zone=a
        - --taints=dedicated=db:NoSchedule
        - --kubelet-extra-args="--max-pods=200 --v=3"
        - --debug
      environment: {HTTPS_PROXY: "http://user:SECRET-PROXY@proxy:3128"}
    - role: worker
      winRM: {address: 10.2.0.9, password: SECRET-PASSWORD}
  options: {concurrency: {limit: 5}}
  k0s:
    version: 1.28.4+k0s.0
    config:
      apiVersion: k0s.k0sproject.io/v1beta1
      kind: ClusterConfig
      spec:
        api: {externalAddress: api.edge.example.com, port: 6443, sans: [edge.example.com], extraArgs: {v: 4}}
        network:
          provider: calico
          podCIDR: 10.200.0.0/16
          serviceCIDR: 10.201.0.0/16
          clusterDomain: edge.local
          kubeProxy: {mode: ipvs}
          dualStack: {enabled: true, IPv6podCIDR: "fd00:1::/108", IPv6serviceCIDR: "fd00:2::/108"}
          calico: {mode: vxlan}
        scheduler: {extraArgs: {v: 2}}
        telemetry: {enabled: true}
`;

describe("config import", () => {
  it.each([
    ["RKE", simpleRke, { k8sVersion: "v1.20.15", network: "flannel" }],
    ["k0sctl", simpleK0s, { clusterName: "edge", k8sVersion: "v1.28.4" }],
  ])("of a simple file of %s's prints one without mistakes", async (_, yaml, settings) => {
    const { text, file } = await imported(yaml);
    expect(file).toMatchObject(settings);
    const { hosts } = await validated(text);
    expect(hosts.workers.length).toBe(1);
    const { options } = hosts.masters[0];
    expect([options.nodeTaints, options.k8sVersion]).toEqual([[], settings.k8sVersion]);
  });

  it("takes of RKE's what has a counterpart", async () => {
    const { file, text } = await imported(largeRke);
    expect(file).toEqual({
      clusterName: "shop",
      k8sVersion: "v1.20.15",
      podCidr: "10.42.0.0/16",
      serviceCidr: "10.43.0.0/16",
      clusterDomain: "shop.local",
      network: "flannel",
      networkBackend: "host-gw",
      networkMtu: "1400",
      networkInterface: "eth1",
      apiserverSans: ["api.shop.example.com"],
      extraArgs: {
        etcd: { "heartbeat-interval": "500" },
        apiserver: { "service-node-port-range": "30000-32000", v: "4" },
        kubelet: { "max-pods": "200" },
        proxy: { v: "2" },
      },
      hosts: [
        {
          role: "master",
          dockerHost: "ssh://rancher@203.0.113.5:2222",
          nodeName: "shop-1",
          ip: "10.1.0.5",
          nodeTaints: ["node-role.kubernetes.io/control-plane:NoSchedule"],
        },
        {
          role: "worker",
          dockerHost: "ssh://shop-2.example.com/run/second.sock",
          nodeName: "shop-2",
          nodeLabels: { disk: "ssd" },
          nodeTaints: ["dedicated=db:NoSchedule"],
        },
      ],
    });
    expect((await validated(text)).hosts.workers[0]?.options.nodeLabels).toEqual({ disk: "ssd" });
    expect(text).toContain("# registry: registry.example.com/rke\n");
  });

  it("names every key of RKE's that has none, once, with its line", async () => {
    const { warnings, notes, text } = await imported(largeRke);
    expect(warnings.map((warning) => /: (cluster\.yml:\d+:\d+: [^ ]*?)(,|\. |$)/.exec(warning)?.[1])).toEqual([
      "cluster.yml:3:1: ssh_key_path",
      "cluster.yml:13:5: nodes.ssh_key",
      "cluster.yml:20:5: nodes.ssh_key_path",
      "cluster.yml:21:25: nodes.labels.node-role.kubernetes.io/db",
      "cluster.yml:30:5: services.etcd.snapshot",
      "cluster.yml:36:5: services.kube-api.always_pull_images",
      "cluster.yml:41:5: services.kubelet.extra_binds",
      "cluster.yml:50:1: system_images",
      "cluster.yml:52:37: private_registries.user",
      "cluster.yml:52:50: private_registries.password",
      "cluster.yml:53:1: bastion_host",
    ]);
    expect(warnings.find((warning) => warning.includes("nodes.ssh_key_path"))).toContain("and at 1 more place");
    expect(notes.join("\n")).toMatch(/cluster\.yml:24:5: this host is left out: it has neither/);
    for (const warning of warnings) expect(text).toContain(/cluster\.yml:\d+:\d+: \S+/.exec(warning)?.[0]);
  });

  it("takes of k0sctl's what has a counterpart, and names the rest", async () => {
    const { file, warnings, notes, text } = await imported(largeK0s);
    expect(file).toEqual({
      clusterName: "edge",
      k8sVersion: "v1.28.4",
      podCidr: "10.200.0.0/16,fd00:1::/108",
      serviceCidr: "10.201.0.0/16,fd00:2::/108",
      clusterDomain: "edge.local",
      network: "none",
      proxyMode: "ipvs",
      apiserverSans: ["edge.example.com", "api.edge.example.com"],
      extraArgs: { apiserver: { v: "4" }, scheduler: { v: "2" } },
      hosts: [
        {
          role: "master",
          dockerHost: "ssh://root@203.0.113.5:2222",
          nodeName: "edge-1",
          ip: "10.2.0.5",
          nodeTaints: ["node-role.kubernetes.io/control-plane:NoSchedule"],
        },
        {
          role: "worker",
          dockerHost: "ssh://edge-two",
          nodeLabels: { disk: "ssd", zone: "a" },
          nodeTaints: ["dedicated=db:NoSchedule"],
          extraArgs: { kubelet: { "max-pods": "200", v: "3" } },
        },
      ],
    });
    expect(warnings.map((warning) => /cluster\.yml:\d+:\d+: ([\w.]+)(?<!\.)/.exec(warning)?.[1])).toEqual([
      "spec.hosts.ssh.bastion",
      "spec.hosts.hooks",
      "spec.hosts.installFlags",
      "spec.hosts.environment",
      "spec.hosts.winRM",
      "spec.options",
      "spec.k0s.config.spec.network.calico",
      "spec.k0s.config.spec.telemetry",
    ]);
    expect(notes.join("\n")).toMatch(/cluster\.yml:22:7: this host is left out/);
    await validated(text);
  });

  it.each([
    ["RKE", largeRke],
    ["k0sctl", largeK0s],
  ])("never prints a secret of %s's file", async (_, yaml) => {
    expect(JSON.stringify(await imported(yaml))).not.toContain("SECRET");
    const withLogin = simpleRke.concat("private_registries: [{url: 'https://robot:SECRET@r.example.com', is_default: true}]\n");
    expect(JSON.stringify(await imported(withLogin))).not.toContain("SECRET");
  });

  it("a key nobody has heard of is named, wherever it is", async () => {
    const { warnings } = await imported(`${simpleRke}novel: {a: 1}\nservices: {kubelet: {novel: 1}, kube-api: {extra_args: {v: 1}}}\n`);
    expect(warnings.join("\n")).toMatch(/cluster\.yml:7:1: novel\n.*cluster\.yml:8:22: services\.kubelet\.novel/s);
  });

  it("text of the file cannot get out of a comment", async () => {
    const { text } = await imported(simpleRke.replace("{plugin: flannel}", '{plugin: "x\\nprune: true"}'));
    expect(text).not.toMatch(/^prune/m);
    await validated(text);
  });

  it("refuses what is neither's, and says what was expected", async () => {
    expect(await refusal("name: me\n")).toMatch(/IMPORT_UNKNOWN .*cluster\.yml: is neither .* `nodes`.*k0sctl\.k0sproject\.io/);
    expect(await refusal("apiVersion: v1\nkind: Pod\nspec: {}\n")).toContain("IMPORT_UNKNOWN");
    expect(await refusal("hosts: [{role: master}]\n")).toContain("tsdeploy config validate -f");
    expect(await refusal("nodes: [a, {address: 10.0.0.1}, [b]]\n")).toMatch(/IMPORT_INVALID .*yml:1:9: .*\nIMPORT_INVALID .*yml:1:33/);
    expect(await refusal("nodes: [\n")).toContain("CONFIG_SYNTAX");
  });
});
