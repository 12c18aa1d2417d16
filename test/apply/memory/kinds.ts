import type { AddonName } from "../../../src/model/addonNames.js";
import { masterOptions } from "../../plan/fixtures.js";
import type { MemoryHost } from "./memoryHost.js";
import type { Scene } from "./scene.js";
import {
  addonScene,
  freshHost,
  furtherMasterScene,
  hostBesideMaster,
  type MasterOf,
  masterScene,
  type Owned,
  runningMaster,
  runningWorker,
  type WorkerOf,
  workerScene,
} from "./scenes.js";
import type { HostState } from "./state.js";

const etcdOf: Readonly<Record<string, string>> = { "v1.36.2": "3.6.8", "v1.35.5": "3.6.6" };
const of = (version: string) => ({ version, etcd: etcdOf[version] ?? "3.4.23" });

/** Somebody's own, that must be there after everything. */
const owned: Owned = {
  files: {
    "/etc/kubernetes/addons/mine.json": { mode: 0o640, content: "{}" },
    "/etc/cni/net.d/99-mine.conf": { mode: 0o600, content: "mine" },
    "/var/lib/kubelet/config.json": { mode: 0o600, content: "mine" },
  },
  folders: {
    "/etc/kubernetes/addons": 0o750,
    // With nothing in them.
    "/etc/kubernetes/manifests-multi": 0o700,
    "/etc/kubernetes/pki/etcd": 0o700,
    "/var/lib/etcd": 0o755,
    "/home": 0o711,
    "/var/lib/kubelet": 0o750,
  },
};

/** A command on the host that it is for. */
export interface Kind {
  readonly host: MemoryHost;
  /** The command on this host, which may be one that an earlier run of it has left half done. */
  readonly plan: (host: MemoryHost) => Promise<Scene>;
  /** The command before it, which a person may go back to; undefined if that is refused. */
  readonly back?: (host: MemoryHost) => Promise<Scene>;
}

async function furtherMaster(version: string, more: Owned = {}): Promise<Kind> {
  return { host: await hostBesideMaster(of(version), more), plan: (host) => furtherMasterScene(host, of(version)) };
}

type Arrange = (state: HostState) => void;

function firstMaster(version: string, more: Owned = {}): Kind {
  return { host: freshHost(false, [of(version)], more), plan: (host) => masterScene(host, of(version)) };
}

function firstWorker(version: string, more: Owned = {}): Kind {
  return { host: freshHost(true, [of(version)], more), plan: (host) => workerScene(host, of(version)) };
}

async function changed(first: MasterOf, then: Partial<MasterOf>, arrange?: Arrange): Promise<Kind> {
  const next = { ...first, ...then };
  const host = await runningMaster(first, [next]);
  arrange?.(host.state);
  // What is given once is followed by later runs, so that going back has to be said.
  const given = Object.fromEntries(Object.keys(then.options ?? {}).map((key) => [key, masterDefaults[key]]));
  return {
    host,
    plan: (one) => masterScene(one, next),
    ...(!arrange &&
      next.version === first.version && {
        back: (one) => masterScene(one, { ...first, options: { ...given, ...first.options } }),
      }),
  };
}

async function changedWorker(first: WorkerOf, then: Partial<WorkerOf>): Promise<Kind> {
  const next = { ...first, ...then };
  const host = await runningWorker(first, [next]);
  return { host, plan: (one) => workerScene(one, next), back: (one) => workerScene(one, first) };
}

const masterDefaults: Readonly<Record<string, unknown>> = { ...masterOptions };

const manifest = "/etc/kubernetes/manifests-multi/master-multi.json";

function edit({ files }: HostState): void {
  const { mode = 0, content = "" } = files.get(manifest) ?? {};
  files.set(manifest, { mode, content: content.replace("--allow-privileged=true", "--allow-privileged=false") });
}

/** As after a reboot with `--restart-policy on-failure`. */
function stopOwn({ containers }: HostState): void {
  for (const container of containers.values()) {
    if (container.name.startsWith("kube_")) Object.assign(container, { state: "exited" });
  }
}

const kubeletArgs = { options: { extraArgs: { kubelet: { "max-pods": "50" } } } };
const etcdArgs = { options: { extraArgs: { etcd: { "quota-backend-bytes": "1000000" } } } };
const apiserver = { extraArgs: { apiserver: { "max-requests-inflight": "7" } } };
const configured = { options: { patches: [{ target: "kubelet", type: "merge", body: { maxPods: 50 }, file: "p" }] } };

/** An add-on of v1.20.2 goes on or off. */
async function addon(name: AddonName, enabled: boolean): Promise<Kind> {
  const version = of("v1.20.2");
  return {
    host: await runningMaster(version),
    plan: (host) => addonScene(host, version, name, enabled),
    back: (host) => addonScene(host, version, name, !enabled),
  };
}

const ownAddons = ["a", "b"].map((name) => ({ name: `${name}.yaml`, content: `# ${name}\n` }));

/** Every kind of plan for a node, with the host that it is made for. */
export const kinds: Readonly<Record<string, () => Kind | Promise<Kind>>> = {
  "first master v1.3.6": () => firstMaster("v1.3.6"),
  "first master v1.20.2": () => firstMaster("v1.20.2"),
  "first master v1.36.2": () => firstMaster("v1.36.2"),
  "first master beside somebody's files": () => firstMaster("v1.20.2", owned),
  "first of several masters": () => ({
    host: freshHost(false, [of("v1.20.2")]),
    plan: (host) => masterScene(host, { ...of("v1.20.2"), options: { severalMasters: true } }),
  }),
  "further master v1.20.2": () => furtherMaster("v1.20.2"),
  "further master v1.36.2": () => furtherMaster("v1.36.2", owned),
  "first worker v1.3.6": () => firstWorker("v1.3.6"),
  "first worker v1.20.2": () => firstWorker("v1.20.2"),
  "first worker v1.36.2": () => firstWorker("v1.36.2", owned),
  "master as it is": () => changed(of("v1.20.2"), {}),
  "master whose containers have stopped": () => changed(of("v1.36.2"), {}, stopOwn),
  "kubelet's arguments, master v1.3.6": () => changed(of("v1.3.6"), kubeletArgs),
  "kubelet's arguments, master v1.36.2": () => changed(of("v1.36.2"), kubeletArgs),
  "kubelet's arguments, worker v1.3.6": () => changedWorker(of("v1.3.6"), kubeletArgs),
  "kubelet's arguments, worker v1.20.2": () => changedWorker(of("v1.20.2"), kubeletArgs),
  "kubelet's configuration": () => changed(of("v1.20.2"), configured as Partial<MasterOf>),
  "etcd's arguments": () => changed(of("v1.20.2"), etcdArgs),
  "API server's arguments": () => changed(of("v1.20.2"), { options: apiserver }),
  "DNS goes": () => changed(of("v1.20.2"), { options: { dns: false } }),
  "DNS comes": () => changed({ ...of("v1.20.2"), options: { dns: false } }, { options: { dns: true } }),
  "add-ons of the person's own come": () => changed(of("v1.36.2"), { options: { addons: ownAddons } }),
  "add-ons of the person's own go": () =>
    changed({ ...of("v1.36.2"), options: { addons: ownAddons } }, { options: { addons: ownAddons.slice(1) } }),
  "addon enable": () => addon("metrics-server", true),
  "addon disable": () => addon("coredns", false),
  "an edited manifest stays": () => changed(of("v1.20.2"), { options: apiserver }, edit),
  "an edited manifest is overwritten": () =>
    changed(of("v1.20.2"), { options: { ...apiserver, overwrite: true } }, edit),
  "upgrade by a patch release": () => changed(of("v1.20.2"), of("v1.20.15")),
  "upgrade by a minor": () => changed(of("v1.20.2"), of("v1.21.14")),
  "upgrade by a minor, with cri-dockerd": () => changed(of("v1.35.5"), of("v1.36.2")),
  "upgrade with a newer minor of etcd": () => changed(of("v1.20.2"), { version: "v1.21.14", etcd: "3.5.26" }),
  "upgrade with etcd's own image": () => changed({ version: "v1.20.2" }, { version: "v1.21.14" }),
  "upgrade from dockershim to cri-dockerd": () => changed(of("v1.23.17"), of("v1.24.17")),
  "upgrade of a worker": () => changedWorker(of("v1.20.2"), of("v1.21.14")),
};
