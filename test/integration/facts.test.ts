import { spawn } from "node:child_process";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { beforeAll, describe, expect, it, vi } from "vitest";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { collectEngineFacts } from "../../src/host/engineFacts.js";
import { type Helper, openHelper, prepareLook } from "../../src/host/helperSession.js";
import { labels, paths } from "../../src/model/hostLayout.js";
import { freshMachine, hyperkube, machineAddress, machineName, sh } from "./support/testMachine.js";

let engine: ContainerEngine;
let helper: Helper;

beforeAll(async () => {
  engine = await freshMachine();
  helper = await openHelper(engine, hyperkube, { clusterName: "test" });
  return async () => {
    await sh("rm -rf /etc/kubernetes /etc/cni");
    await helper.close();
    await engine.close();
  };
});

describe("facts", () => {
  it("of the engine come without running anything", async () => {
    const facts = await collectEngineFacts(engine);
    expect(facts.info.hostname).toBe(machineName);
    expect(facts.version.os).toBe("linux");
    const mine = facts.containers.find(({ id }) => id === helper.id);
    expect(mine?.labels).toMatchObject({ [labels.component]: "helper", [labels.cluster]: "test" });
  });

  it("of the host are what a shell on it sees", async () => {
    const imageLabels = (await engine.inspectImage(hyperkube))?.labels ?? {};
    const facts = await helper.collectFacts({ dockerRootDir: "/var/lib/docker", imageLabels });
    expect(facts).toMatchObject({
      hostname: machineName,
      defaultAddress: machineAddress,
      cpus: Number(await sh("nproc")),
      propagation: "shared",
      privateFolders: [],
      iptablesBackend: "nft",
      imageVersion: "v1.20.2",
      imageCniDir: "/usr/lib/cni",
      etcdData: false,
      readOnlyPaths: [],
      resolvConf: "/etc/resolv.conf",
      // Its network namespace is not the first.
      conntrackMaxWritable: false,
    });
    expect(facts.addresses).toContainEqual({ interface: "eth0", address: machineAddress, prefixLength: 24 });
    expect(facts.sysctls["net.ipv4.ip_forward"]).toBe(await sh("cat /proc/sys/net/ipv4/ip_forward"));
    expect(facts.diskFreeBytes["/var/lib/docker"]).toBeGreaterThan(1e6);
    expect(facts.openFiles).toBeGreaterThan(1000);
    expect(facts.podCgroups).toEqual([]);
    expect(Math.abs(facts.clockMs - Date.now())).toBeLessThan(10_000);
    expect(Math.abs((await helper.clockMs()) - Date.now())).toBeLessThan(10_000);
    expect(facts.iptables).toContain("iptables-nft nat");
    expect(facts.existingPaths).toContain("/opt");
    expect(facts.existingPaths).not.toContain("/etc/kubernetes");
    // sshd: not one of Kubernetes' ports, so its process is not looked up.
    expect(facts.listeningPorts).toContainEqual({ port: 22, address: "0.0.0.0" });
  });

  it("show folders behind links, what is in Kubernetes' folders, and what is mounted there", async () => {
    await sh(`
      mkdir -p '/srv/big disk/kubelet/pods/with blank' /srv/etc-kubernetes /var/lib/etcd/default
      ln -s '/srv/link' /var/lib/kubelet && ln -s 'big disk/kubelet' /srv/link
      ln -s ../srv/etc-kubernetes /etc/kubernetes
      touch '/var/lib/kubelet/a b' /var/lib/kubelet/.hidden && ln -s /nowhere /var/lib/kubelet/dangling
      mount -t tmpfs x '/var/lib/kubelet/pods/with blank'`);
    try {
      const facts = await helper.collectFacts({ dockerRootDir: "/var/lib/docker" });
      expect(facts.symlinks).toEqual([
        { path: "/var/lib/kubelet", target: "/srv/big disk/kubelet" },
        { path: "/etc/kubernetes", target: "/srv/etc-kubernetes" },
        { path: "/etc/kubernetes/pki", target: "/srv/etc-kubernetes/pki" },
        { path: "/etc/kubernetes/manifests-multi", target: "/srv/etc-kubernetes/manifests-multi" },
        { path: "/etc/kubernetes/addons", target: "/srv/etc-kubernetes/addons" },
      ]);
      expect([...facts.entries].sort()).toEqual([
        "/var/lib/etcd/default",
        ...[".hidden", "a b", "dangling", "pods", "pods/with blank"].map((name) => `/var/lib/kubelet/${name}`),
      ]);
      expect(facts.mountsBelowKubelet).toEqual(["/srv/big disk/kubelet/pods/with blank"]);
    } finally {
      await sh(`umount '/srv/big disk/kubelet/pods/with blank'
        rm -rf /srv/* /var/lib/kubelet /etc/kubernetes /var/lib/etcd`);
    }
    const facts = await helper.collectFacts({ dockerRootDir: "/var/lib/docker" });
    expect([facts.symlinks, facts.entries, facts.mountsBelowKubelet]).toEqual([[], [], []]);
  });

  it("know folders to which nobody passes on what is mounted there later", async () => {
    await sh(`mkdir -p /data/home && mount -t tmpfs --make-private x /data && mkdir -p /data/home
      mount -t tmpfs --make-private x /srv && mount -t tmpfs --make-shared x /media`);
    try {
      const facts = await helper.collectFacts({ dockerRootDir: "/var/lib/docker" });
      expect([facts.propagation, facts.privateFolders]).toEqual(["shared", ["/srv"]]);
      await sh("mount --bind /data/home /mnt && mount --make-private /mnt");
      expect((await helper.collectFacts({ dockerRootDir: "/var/lib/docker" })).privateFolders).toEqual(["/mnt", "/srv"]);
    } finally {
      await sh("umount /mnt 2>/dev/null; umount /srv /media /data && rmdir /data/home /data");
    }
  });

  it("know the files by which the host says what it is", async () => {
    const present = await sh("for file in /etc/machine-id /etc/os-release; do [ ! -s $file ] || echo $file; done");
    const facts = await helper.collectFacts({ dockerRootDir: "/var/lib/docker" });
    expect(facts.identityFiles).toContain("/etc/os-release");
    expect(facts.identityFiles.join("\n")).toBe(present);
  });

  it("know etcd's data from what an etcd of ours leaves that has lost it, and take no other for lost", async () => {
    const hasData = async (then: string): Promise<boolean> => {
      await sh(then);
      return (await helper.collectFacts({ dockerRootDir: "/var/lib/docker" })).etcdData;
    };
    const db = "/var/lib/etcd/member/snap/db";
    try {
      expect(await hasData(`mkdir -p /var/lib/etcd/member/snap && truncate -s 16K ${db}`), "nobody's").toBe(true);
      expect(await hasData("mkdir -p /etc/kubernetes && touch /etc/kubernetes/tsdeploy.yaml"), "empty").toBe(false);
      expect(await hasData(`truncate -s 1M ${db}`), "a database").toBe(true);
      const log = "mkdir /var/lib/etcd/member/wal && touch /var/lib/etcd/member/wal/0-0.wal";
      expect(await hasData(`rm ${db} && ${log}`), "a log").toBe(true);
    } finally {
      await sh("rm -rf /var/lib/etcd /etc/kubernetes");
    }
  });

  it("name the file behind a stub of nameservers, wherever its link leads", async () => {
    const resolver = async (script: string) => {
      await sh(script);
      const { resolvConf, resolverLines } = await helper.collectFacts({ dockerRootDir: "/var/lib/docker" });
      return [resolvConf, ...(resolverLines ?? [])];
    };
    const folder = "/run/systemd/resolve";
    await sh(`mkdir -p ${folder} && mv /etc/resolv.conf /root/resolv.before`);
    try {
      const stub = `echo nameserver 127.0.0.53 >${folder}/stub.conf && ln -s ${folder}/stub.conf /etc/resolv.conf`;
      // Nothing is behind it yet.
      expect(await resolver(stub)).toEqual(["/etc/resolv.conf", "nameserver 127.0.0.53"]);
      const behind = `printf 'search lan\nnameserver 10.0.0.1' >${folder}/resolv.conf`;
      expect(await resolver(behind)).toEqual([`${folder}/resolv.conf`, "search lan", "nameserver 10.0.0.1"]);
      expect(await resolver(`rm /etc/resolv.conf ${folder}/resolv.conf`)).toEqual(["/etc/resolv.conf"]);
    } finally {
      await sh(`rm -rf ${folder} && rmdir --ignore-fail-on-non-empty /run/systemd && mv -f /root/resolv.before /etc/resolv.conf`);
    }
  });

  it("name who listens on one of Kubernetes' ports", async () => {
    const listen = (address: string): string => `socat -u ${address} /dev/null >/dev/null 2>&1 & echo $!`;
    const sockets = ["TCP-LISTEN:10256,reuseaddr", "UDP-RECV:51820", "UDP:127.0.0.1:9,sourceport=51821"];
    const started = await helper.run(sockets.map(listen).join("\n"));
    const pids = started.stdout.toString().trim().replaceAll("\n", " ");
    try {
      await sh("until ss -ltn | grep -q :10256 && ss -lun | grep -q :51820 && ss -un | grep -q :51821; do :; done");
      const facts = await helper.collectFacts({ dockerRootDir: "/var/lib/docker" });
      const listener = facts.listeningPorts.find(({ port }) => port === 10256);
      expect(listener).toMatchObject({ process: "socat", container: helper.id });
      expect(facts.udpPorts).toContain(51820);
      expect(facts.udpPorts).not.toContain(51821);
    } finally {
      await helper.run(`kill ${pids}`);
    }
  });
});

describe("files", () => {
  const secret = { path: "/etc/kubernetes/pki/a.key", mode: 0o600, content: "secret\n", secret: true };
  const script = { path: "/etc/kubernetes/scripts/a.sh", mode: 0o755, content: "#!/bin/sh\n", secret: false };
  const cni = { path: paths.cniConfigFile, mode: 0o644, content: "{}\n", secret: false };

  it("are none where Kubernetes never was", async () => {
    expect(await helper.readFiles()).toEqual(new Map());
  });

  it("begin with the record of what the host was like: a run cut off before it leaves no folder", async () => {
    const record = { path: paths.hostBefore, mode: 0o644, content: "{}\n", secret: false };
    const archive = pack();
    archive.entry({ name: "etc/kubernetes/.tsdeploy-new-cut/host-before.json" }, "{".repeat(1000));
    archive.finalize();
    const bytes = await buffer(archive);
    const args = [String(bytes.length), ".tsdeploy-new-cut", paths.kubernetes];
    const cut = helper.runHostScript("write-files", args, { stdin: bytes.fill("x", 512, 1100).fill("x", 1536, 1700) });
    await expect(cut).rejects.toThrow(/tar/);
    expect(await sh("ls -A /etc | grep -E 'kubernetes|tsdeploy' || true")).toBe("");

    // A folder in a later file's place: what comes after the record fails.
    await sh(`mkdir -p ${paths.cniConfigFile}`);
    await expect(helper.writeFiles([secret, cni, record])).rejects.toThrow(/directory/);
    expect(await sh("stat -c '%n %a %U' /etc/kubernetes /etc/kubernetes/*.json")).toBe(
      `/etc/kubernetes 755 root\n${paths.hostBefore} 644 root`,
    );
    await sh(`rm -r /etc/kubernetes ${paths.cniConfigFile}`);
  });

  it("are written with their modes in folders that are made", async () => {
    await helper.writeFiles([secret, script, cni]);
    const stats = await sh(`cd /etc/kubernetes && stat -c '%n %a %U' . pki pki/a.key scripts/a.sh ${cni.path}`);
    expect(stats.split("\n")).toEqual([
      ". 755 root",
      "pki 755 root",
      "pki/a.key 600 root",
      "scripts/a.sh 755 root",
      `${cni.path} 644 root`,
    ]);
    expect(await sh("find /etc/kubernetes -name '.*' -mindepth 1")).toBe("");
  });

  it("are read with their modes, and links as links", async () => {
    await sh("ln -s /etc/hostname /etc/kubernetes/link");
    expect(await helper.readFiles()).toEqual(
      new Map([
        [secret.path, { mode: 0o600, content: "secret\n" }],
        [script.path, { mode: 0o755, content: "#!/bin/sh\n" }],
        [cni.path, { mode: 0o644, content: "{}\n" }],
        ["/etc/kubernetes/link", { mode: 0o120777, content: "/etc/hostname" }],
      ]),
    );
  });

  it("are put back as links where they were links", async () => {
    const link = { path: "/etc/kubernetes/link", mode: 0o120777, content: "/nowhere" };
    await helper.writeFiles([{ ...link, secret: true }]);
    expect(await sh("readlink /etc/kubernetes/link")).toBe("/nowhere");
    expect((await helper.readFiles()).get(link.path)).toEqual({ mode: link.mode, content: link.content });
  });

  it("are replaced without ever missing or being half there", async () => {
    const path = "/etc/kubernetes/manifests-multi/pod.json";
    const content = (letter: string): string => letter.repeat(1_000_000);
    await helper.writeFiles([{ path, mode: 0o600, content: content("a"), secret: false }]);
    const watch = sh(
      `while [ ! -e /tmp/done ]; do md5sum <${path}; done | sort -u; rm /tmp/done`,
    );
    for (const letter of ["b", "c", "b"]) {
      await helper.writeFiles([{ path, mode: 0o644, content: content(letter), secret: false }]);
    }
    await sh("touch /tmp/done");
    const sums = (await watch).split("\n");
    const whole = await sh("for l in a b c; do head -c 1000000 /dev/zero | tr '\\0' $l | md5sum; done");
    expect(sums.filter((sum) => !whole.includes(sum))).toEqual([]);
    expect(await sh(`stat -c %a ${path}`)).toBe("644");
  });

  it("are written keys first: a run that fails half-way leaves no certificate without its key", async () => {
    const certificate = (name: string) => ({ path: `/etc/kubernetes/pki/${name}.crt`, mode: 0o644, content: "new crt", secret: false });
    const key = (name: string) => ({ path: `/etc/kubernetes/pki/${name}.key`, mode: 0o600, content: "new key", secret: true });
    // Cut off by a folder in a file's place.
    await sh("mkdir -p /etc/kubernetes/pki/{block.crt/x,etcd} && cd /etc/kubernetes/pki/etcd && printf old | tee {b,c}.{crt,key}");
    const block = certificate("block");
    const files = ["ca", "etcd/ca", "etcd/b"].flatMap((name) => [certificate(name), key(name)]);
    const unchanged = { ...key("etcd/c"), content: "old" };
    await expect(helper.writeFiles([block, ...files, unchanged, certificate("etcd/c")])).rejects.toThrow(/block\.crt/);
    // Of the folder itself all that can be renamed is, of the next one its keys were. b's has changed there, so its old
    // certificate is removed; c's has not.
    const found = "find . -type f ! -name a.key -printf '%P ' -execdir cat {} \\; -printf '\\n' | sort";
    expect((await sh(`cd /etc/kubernetes/pki && ${found}`)).split("\n")).toEqual(
      ["ca.crt new crt", "ca.key new key", "etcd/b.key new key", "etcd/c.crt old", "etcd/c.key old", "etcd/ca.key new key"],
    );
    // Neither staged files nor those of another run.
    expect(await sh("find /etc/kubernetes -name '.tsdeploy*'")).toBe("");
    await sh("rm -r /etc/kubernetes/pki/{block.crt,ca.{key,crt},etcd}");
  });

  it("leave alone what another run has staged, and nobody reads it", async () => {
    await sh("mkdir /etc/kubernetes/pki/.tsdeploy-new-other && echo theirs >/etc/kubernetes/pki/.tsdeploy-new-other/b.key");
    await helper.writeFiles([secret]);
    expect(await sh("cat /etc/kubernetes/pki/.tsdeploy-new-other/b.key")).toBe("theirs");
    expect([...(await helper.readFiles()).keys()].filter((path) => path.includes(".tsdeploy"))).toEqual([]);
    await sh("rm -r /etc/kubernetes/pki/.tsdeploy-new-other");
  });

  it("are removed with the folders that are named, if these are then empty", async () => {
    await sh("mkdir /etc/kubernetes/addons");
    const folders = ["/etc/kubernetes/scripts", "/etc/kubernetes/pki", "/etc/kubernetes"];
    await helper.removeFiles([script.path, "/etc/kubernetes/scripts/never-was"], folders);
    expect(await sh("ls /etc/kubernetes")).toBe("addons\nlink\nmanifests-multi\npki");
    await sh("rmdir /etc/kubernetes/addons");
  });
});

describe("a helper", () => {
  it("fails with what the script said", async () => {
    await expect(helper.run("echo 'no such thing' >&2; exit 3")).rejects.toThrow(/status 3: no such thing/);
  });

  it("connects to ports of the host", async () => {
    const stream = await helper.openTcp("127.0.0.1", 22);
    const [banner] = (await once(stream, "data")) as [Buffer];
    expect(banner.toString()).toMatch(/^SSH-2\.0-/);
    stream.destroy();
  });

  it("takes a connection that nobody uses with it, which ends no process", async () => {
    const other = await openHelper(engine, hyperkube, {});
    // As a run that was stopped leaves it: without a listener for errors.
    const stream = await other.openTcp("127.0.0.1", 22);
    const closed = new Promise((resolve) => stream.once("close", resolve));
    stream.resume();
    await engine.removeContainer(other.id);
    await closed;
    await other.close();
  });

  it("begins with a look, of which Docker keeps no log: there may be secrets in it", async () => {
    await sh("mkdir -p /etc/kubernetes && echo secret >/etc/kubernetes/admin.conf");
    try {
      const imageLabels = (await engine.inspectImage(hyperkube))?.labels ?? {};
      const look = { dockerRootDir: "/var/lib/docker", imageLabels };
      const other = await openHelper(engine, hyperkube, { look: await prepareLook(look) });
      const { host, files } = await other.look(look);
      expect(await sh(`docker inspect -f '{{.HostConfig.LogConfig.Type}}' ${other.id}`)).toBe("none");
      await sh("echo changed >/etc/kubernetes/admin.conf");
      const later = await other.look(look);
      await other.close();
      expect(host.hostname).toBe(machineName);
      expect(files.get("/etc/kubernetes/admin.conf")?.content).toBe("secret\n");
      expect(later.files.get("/etc/kubernetes/admin.conf")?.content).toBe("changed\n");
    } finally {
      await sh("rm -rf /etc/kubernetes");
    }
  });

  it("that began with a look writes files without another program of Docker's, and goes on after a failure", async () => {
    const look = { dockerRootDir: "/var/lib/docker" };
    const began = await sh("date +%s.%N");
    const other = await openHelper(engine, hyperkube, { look: await prepareLook(look) });
    const file = (name: string, content: string) => ({ path: `/etc/kubernetes/${name}`, mode: 0o600, content, secret: true });
    const large = Buffer.alloc(3_000_000, "all of it\n").toString();
    try {
      await other.look(look);
      await other.writeFiles([file("large", large)]);
      // A file is no folder.
      await expect(other.writeFiles([file("large/b", "b")])).rejects.toThrow(/HOST_SCRIPT_FAILED|directory/);
      await other.writeFiles([file("after", "after\n")]);
      const execs = `docker events --since ${began} --until "$(date +%s.%N)" --filter event=exec_create --filter container=${other.id}`;
      expect(await sh(execs)).toBe("");
      const files = await other.readFiles();
      expect(files.get("/etc/kubernetes/large")).toEqual({ mode: 0o600, content: large });
      expect(files.get("/etc/kubernetes/after")?.content).toBe("after\n");
    } finally {
      await other.close();
      await sh("rm -rf /etc/kubernetes");
    }
  });

  it("is gone when it was closed, and leaves no mount behind", async () => {
    const mounts = await sh("awk '{ print $5 }' /proc/1/mountinfo | sort");
    for (const propagation of ["rslave", "rshared"] as const) {
      const other = await openHelper(engine, hyperkube, { propagation });
      await other.close();
      expect(await engine.inspectContainer(other.id)).toBeUndefined();
    }
    expect(await sh("awk '{ print $5 }' /proc/1/mountinfo | sort")).toBe(mounts);
  });

  it("ends with the process that started it", async () => {
    const child = spawn("node_modules/.bin/vite-node", [
      "test/integration/support/holdHelper.ts",
      engine.endpoint,
      hyperkube,
    ]);
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const id = line.toString().trim();
    expect(await engine.inspectContainer(id)).toBeDefined();
    child.kill("SIGKILL");
    await vi.waitUntil(async () => (await engine.inspectContainer(id)) === undefined, { timeout: 10_000 });
  });
});

describe("a look through a container of ours that runs", () => {
  let kubelet: string;

  beforeAll(async () => {
    const namespaces = "--privileged --net host --pid host --cgroupns host -v /opt:/opt -v /run:/run";
    kubelet = await sh(`docker run -d --rm --name as-a-kubelet ${namespaces} ${hyperkube} sleep infinity`);
    return () => sh("docker rm -f as-a-kubelet");
  });

  it("shows what one through a helper shows, files and all, and starts no container", async () => {
    await sh(`
      rm -rf /etc/kubernetes && mkdir -p /etc/kubernetes/pki /srv/pods /opt/cni/bin
      echo A >/etc/kubernetes/pki/a.crt
      ln -s /srv/pods /etc/kubernetes/manifests-multi
      echo B >/srv/b && ln -s /srv/b /etc/kubernetes/b && cp /bin/true /opt/cni/bin/loopback`);
    try {
      const imageLabels = (await engine.inspectImage(hyperkube))?.labels ?? {};
      const options = { dockerRootDir: "/var/lib/docker", imageLabels };
      const before = (await engine.listContainers()).map(({ id }) => id);
      const other = await openHelper(engine, hyperkube, { through: kubelet });
      expect(other.id).toBe(kubelet);
      const through = await other.look(options);
      expect((await engine.listContainers()).map(({ id }) => id)).toEqual(before);
      await other.close();
      const own = await helper.look(options);
      const timeless = ({ host, files }: typeof own): object => ({
        files,
        host: { ...host, clockMs: 0, diskFreeBytes: Object.keys(host.diskFreeBytes) },
      });
      expect(timeless(through)).toEqual(timeless(own));
      expect(own.files).toEqual(await helper.readFiles());
      expect(own.files.get("/etc/kubernetes/pki/a.crt")?.content).toBe("A\n");
      expect(own.host.symlinks).toContainEqual({ path: "/etc/kubernetes/manifests-multi", target: "/srv/pods" });
    } finally {
      await sh("rm -rf /etc/kubernetes /srv/* /opt/cni");
    }
  });

  it("leaves no program behind in it when the run is killed that has a connection", async () => {
    const child = spawn("node_modules/.bin/vite-node", [
      "test/integration/support/holdHelper.ts",
      engine.endpoint,
      hyperkube,
      kubelet,
    ]);
    await once(child.stdout, "data");
    const programs = (): Promise<string> => sh("docker top as-a-kubelet -eo pid,comm | sed 1d | tr -s ' ' | cut -d ' ' -f 2 | sort | paste -sd ' '");
    expect(await programs()).toBe("sleep socat");
    child.kill("SIGKILL");
    await vi.waitUntil(async () => (await programs()) === "sleep", { timeout: 10_000 });
  });
});

describe("a host whose mounts are private", () => {
  it("still gets a helper, which tells that it will not do", async () => {
    await sh("mount --make-rprivate /");
    try {
      const other = await openHelper(engine, hyperkube);
      const facts = await other.collectFacts({ dockerRootDir: "/var/lib/docker" });
      await other.close();
      expect(facts.propagation).toBe("private");
    } finally {
      await sh("mount --make-rshared /");
    }
  });
});
