import { readFile } from "node:fs/promises";
import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { applyPlan } from "../../src/apply/applyPlan.js";
import { acceptedOptionsFile } from "../../src/config/acceptedOptions.js";
import type { ContainerEngine } from "../../src/docker/containerEngine.js";
import { collectEngineFacts } from "../../src/host/engineFacts.js";
import { showFootprint } from "../../src/host/footprint.js";
import { openHelper } from "../../src/host/helperSession.js";
import { hostBeforeFile } from "../../src/host/hostBefore.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { TeardownPlan } from "../../src/model/teardownPlan.js";
import { isNothingToDo, planTeardown, teardownLookout } from "../../src/plan/planTeardown.js";
import { masterOptions } from "../plan/fixtures.js";
import { freshMachine, hyperkube, sh } from "./support/testMachine.js";

/** What the owner of the machine has there, some of it much like Kubernetes' own. Nothing of it may change. */
const owners = `
  docker run -d --name owners-container -v owners-volume:/data ${hyperkube} sleep infinity >/dev/null
  mkdir -p /etc/cni/net.d /opt/cni/bin /srv/owners /var/lib/cni/networks/podman
  echo '{}' >/etc/cni/net.d/99-owners.conf
  echo owners >/opt/cni/bin/owners-plugin
  echo 10.88.0.2 >/var/lib/cni/networks/podman/10.88.0.2
  mount -t tmpfs owners /srv/owners && echo data >/srv/owners/file
  iptables -N OWNERS && iptables -A OWNERS -p tcp --dport 9 -j DROP && iptables -A INPUT -j OWNERS
  iptables -t nat -N KUBE-OWNERS && iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -j KUBE-OWNERS
  iptables -t nat -N CNI-podman
  iptables -t nat -A POSTROUTING -s 10.88.0.2 -m comment --comment 'name: "podman" id: "1"' -j CNI-podman
  ip link add owners-bridge type bridge
  # To pods that the owner has elsewhere, as it happens among our addresses.
  ip route add 10.244.200.0/24 via 10.77.0.1
`;
const fakeSystemd = `
  mkdir -p /run/systemd/system /run/fake-units
  cd /run/fake-units && touch kubepods.slice kubepods-besteffort.slice kubepods.service system.slice
  cat >/usr/local/bin/systemctl <<'END'
#!/bin/sh
cd /run/fake-units
case $1 in
  list-units) for name; do case $name in -* | list-units) ;; *) ls $name | sed 's/$/ loaded active active x/' ;; esac; done ;;
  stop) shift && rm "$@" ;;
esac
END
  chmod +x /usr/local/bin/systemctl
`;
const removeOwners = `
  docker rm -fv owners-container >/dev/null && docker volume rm owners-volume >/dev/null
  umount /srv/owners && rm -rf /srv/owners /etc/cni /opt/cni /var/lib/cni
  iptables -D INPUT -j OWNERS && iptables -F OWNERS && iptables -X OWNERS
  iptables -t nat -D POSTROUTING -s 192.0.2.0/24 -j KUBE-OWNERS && iptables -t nat -X KUBE-OWNERS
  iptables -t nat -D POSTROUTING -s 10.88.0.2 -m comment --comment 'name: "podman" id: "1"' -j CNI-podman
  iptables -t nat -X CNI-podman
  ip link delete owners-bridge
  ip route delete 10.244.200.0/24 via 10.77.0.1
`;

const own = "--label io.tsdeploy.cluster=test --label io.tsdeploy.role=master --label io.tsdeploy.component";
const pod = (name: string, container: string, more = ""): string =>
  `docker run -d --name k8s_${container}_${name}_default_uid-${name}_0 --label io.kubernetes.pod.name=${name}` +
  ` --label io.kubernetes.pod.namespace=default --label io.kubernetes.pod.uid=uid-${name} ${more} ${hyperkube}`;
const says = (what: string): string =>
  `bash -c 'trap "echo ${what} >>/said/order; exit" TERM; while :; do sleep 0.05; done'`;
const fromFile = "--label io.tsdeploy.spec=0 --label annotation.kubernetes.io/config.source=file";

const accepted = acceptedOptionsFile({ ...masterOptions, k8sVersion: "v1.20.2", ip: ["10.77.0.14"], nodeName: "machine-4" });

/** What a master with a workload leaves, as real ones do: measured on v1.20.2. */
const kubernetes = `
  mkdir -p /tmp/said /var/lib/kubelet/pods/uid-web/volumes/token /var/lib/kubelet/pods/uid-web/volumes/disk
  said='-v /tmp/said:/said'
  docker run -d --name kube_kubelet_x ${own}=kubelet --privileged -v /var/lib/kubelet:/var/lib/kubelet:rshared \\
    $said ${hyperkube} ${says("kubelet")} >/dev/null
  docker exec kube_kubelet_x bash -euc '
    mount -t tmpfs secret /var/lib/kubelet/pods/uid-web/volumes/token
    echo token >/var/lib/kubelet/pods/uid-web/volumes/token/token
    mkdir "/var/lib/kubelet/pods/uid-web/with blank"
    mount -t tmpfs blank "/var/lib/kubelet/pods/uid-web/with blank"'
  # A volume of the owner, mounted for a pod: its data must survive.
  mount --bind /srv/owners /var/lib/kubelet/pods/uid-web/volumes/disk
  docker run -d --name kube_etcd_x ${own}=etcd $said ${hyperkube} ${says("etcd")} >/dev/null
  ${pod("web", "POD")} sleep infinity >/dev/null
  ${pod("web", "nginx", "$said -v /anonymous -v /var/lib/kubelet/pods/uid-web/volumes/token:/token")} ${says("web")} >/dev/null
  ${pod("k8s-master", "POD", fromFile)} sleep infinity >/dev/null
  ${pod("k8s-master", "apiserver", "$said")} ${says("apiserver")} >/dev/null

  mkdir -p /etc/kubernetes/{pki,manifests-multi,scripts,addons} /var/lib/etcd/member/wal /var/lib/dockershim/sandbox
  echo key >/etc/kubernetes/pki/ca.key; echo crt >/etc/kubernetes/pki/ca.crt; echo ${Buffer.from(accepted.content).toString("base64")} | base64 -d >/etc/kubernetes/tsdeploy.yaml
  touch /etc/kubernetes/{admin.conf,kubelet-config.yaml,manifests-multi/master-multi.json,scripts/start.sh}
  touch /var/lib/etcd/member/wal/0 /var/lib/kubelet/cpu_manager_state /var/lib/kubelet/.lock /run/dockershim.sock
  echo '{}' >/etc/cni/net.d/10-tsdeploy.conflist
  mkdir -p /var/lib/cni/networks/tsdeploy /var/lib/cni/results /var/lib/cni/cache/results
  touch /var/lib/cni/networks/tsdeploy/10.244.0.2 /var/lib/cni/cache/results/{tsdeploy-1-eth0,cni-loopback-1-lo}
  mkdir -p /var/log/containers /var/log/pods/default_web_uid-web/nginx
  ln -s /var/lib/docker/containers/gone/gone-json.log /var/log/pods/default_web_uid-web/nginx/0.log
  ln -s /var/log/pods/default_web_uid-web/nginx/0.log /var/log/containers/web.log
  mkdir -p /lib/modules /sys/fs/cgroup/memory/kubepods/burstable/poduid-web

  # As flannel leaves them with vxlan and with host-gw.
  echo '{ "Network": "10.244.0.0/16", "Backend": { "Type": "host-gw" } }' >/etc/kubernetes/flannel.json
  mkdir /run/flannel && touch /run/flannel/subnet.env
  ip link add flannel.1 type bridge
  ip route add 10.244.7.0/24 via 10.77.0.1
  ip link add cni0 type bridge && ip address add 10.244.0.1/24 dev cni0 && ip link set cni0 up
  ip link add veth-left type veth peer name veth-peer && ip link set veth-left master cni0
  sysctl -qw net.ipv4.conf.all.route_localnet=1
  for iptables in iptables ip6tables; do
    for table in nat filter mangle; do $iptables -t $table -N KUBE-KUBELET-CANARY; done
    $iptables -t nat -N KUBE-SERVICES
    $iptables -t nat -A PREROUTING -m comment --comment 'kubernetes service portals' -j KUBE-SERVICES
  done
  iptables -t nat -N KUBE-SVC-A && iptables -t nat -N KUBE-SEP-A
  iptables -t nat -A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment 'default/kubernetes:https' -j KUBE-SVC-A
  iptables -t nat -A KUBE-SVC-A -j KUBE-SEP-A
  iptables -t nat -A KUBE-SEP-A -p tcp -j DNAT --to-destination 10.77.0.11:6443
  iptables -N TSDEPLOY-FORWARD && iptables -I FORWARD -j TSDEPLOY-FORWARD
  iptables -A TSDEPLOY-FORWARD -s 10.244.0.0/16 -j ACCEPT
  iptables -t nat -N CNI-HOSTPORT-DNAT && iptables -t nat -N CNI-DN-1
  iptables -t nat -A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT
  iptables -t nat -A CNI-HOSTPORT-DNAT -p tcp -m comment --comment 'dnat name: "tsdeploy" id: "1"' -j CNI-DN-1
  iptables -t nat -A CNI-DN-1 -p tcp --dport 80 -j DNAT --to-destination 10.244.0.2:80
`;

/** In a network of its own: chains of ours and of others in both backends, the clean-up, and what is left. */
const bothBackends = `
  mkdir /host
  for backend in nft legacy; do
    for iptables in iptables-$backend ip6tables-$backend; do
      $iptables -t nat -N KUBE-A && $iptables -t nat -N KUBE-B && $iptables -t nat -N OWNERS
      for _ in 1 2; do $iptables -t nat -A PREROUTING -m comment --comment 'a "b" c' -j KUBE-A; done
      $iptables -t nat -A KUBE-A -g KUBE-B && $iptables -t nat -A OWNERS -p tcp -j KUBE-B
      $iptables -t mangle -N KUBE-C && $iptables -N KUBE-BEFORE && $iptables -P FORWARD DROP
    done
  done
  before=()
  for iptables in {iptables,ip6tables}-{nft,legacy}; do before+=(--before "$iptables filter KUBE-BEFORE"); done
  bash -c "$1" teardown clean --network tsdeploy "\${before[@]}" >/dev/null
  for iptables in {iptables,ip6tables}-{nft,legacy}; do
    $iptables-save 2>/dev/null | grep -vE '^#|ACCEPT' | tr '\n' ' ' && echo
  done
`;

/**
 * What kube-proxy leaves with ipvs and nftables, on a kernel that has neither: programs that keep their lists in files.
 * Prints what is shown first, what is still there after the clean-up, and what is shown then.
 */
const kubeProxy = `
  mkdir -p /host /fake/bin /fake/ip_set && cd /fake && touch ip_vs
  printf '%s\n' 'table ip kube-proxy' 'table ip6 kube-proxy' 'table inet owners' >nft
  printf '%s\n' KUBE-LOOP-BACK KUBE-CLUSTER-IP KUBE-NODE-PORT-TCP KUBE-OWN owners-set >ipset
  cat >ipvsadm <<'END'
-A -t 10.96.0.1:443 -s rr
-a -t 10.96.0.1:443 -r 10.77.0.11:6443 -m -w 1
-A -u 10.77.0.16:30053 -s rr
-a -u 10.77.0.16:30053 -r 10.244.0.9:53 -m -w 1
-a -u 10.77.0.16:30053 -r 10.244.255.9:53 -m -w 1
-A -t 10.77.0.16:30080 -s rr
-a -t 10.77.0.16:30080 -r 10.244.0.9:80 -m -w 1
-a -t 10.77.0.16:30080 -r 10.245.0.9:80 -m -w 1
-A -t 10.77.0.16:30081 -s rr
-A -t 10.77.0.17:30081 -s rr
-A -t 10.77.0.16:81 -s rr
-A -t [fd00::1]:443 -s rr
-A -t 10.77.0.16:82 -s rr
-a -t 10.77.0.16:82 -r 10.244.0.9:80 -m -w 1
-A -f 1 -s rr
END
  cat >bin/nft <<'END'
#!/bin/bash
case $1 in list) cat /fake/nft ;; delete) sed -i "/^table $3 $4$/d" /fake/nft ;; *) exit 1 ;; esac
END
  cat >bin/ipset <<'END'
#!/bin/bash
case $1 in list) cat /fake/ipset ;; save) echo "add $2 30081" ;; destroy) sed -i "/^$2$/d" /fake/ipset ;; esac
END
  cat >bin/ipvsadm <<'END'
#!/bin/bash
case $1 in -Sn) cat /fake/ipvsadm ;; -D) grep -vF -e "$2 $3 " /fake/ipvsadm >/fake/left; mv /fake/left /fake/ipvsadm ;; esac
END
  chmod +x bin/*
  PATH=/fake/bin:$PATH
  ip link add kube-ipvs0 type bridge && ip address add 10.96.0.1/32 dev kube-ipvs0
  sysctl -qw net.ipv6.conf.kube-ipvs0.disable_ipv6=0 && ip -6 address add fd00::1/128 dev kube-ipvs0 nodad
  ip address add 10.77.0.16/32 dev lo
  iptables-nft -N TSDEPLOY-FORWARD && iptables-nft -A TSDEPLOY-FORWARD -s 10.244.0.0/16 -j ACCEPT
  before=(--before 'ipset KUBE-OWN' --before 'ipvs TCP 10.77.0.16:82' --link kube-ipvs0 --network tsdeploy)
  seen() { grep -E 'nft-table|ipset|ipvs' | sort; }
  bash -c "$1" teardown show "\${before[@]}" | seen && echo ---
  bash -c "$1" teardown clean "\${before[@]}" | seen && echo ---
  cat nft ipset && grep -e '^-A' ipvsadm
`;

let engine: ContainerEngine;
const footprintScript = await readFile("test/e2e/support/footprint.sh", "utf8");

/** All that a person could find changed, but for the helper's own going and coming. */
const look = async (): Promise<string[]> => (await sh(footprintScript)).split("\n");

interface RunOptions {
  readonly force?: boolean;
  readonly purge?: boolean;
  readonly signal?: AbortSignal;
}

/** As the command does it. */
async function teardown({ force = false, purge = false, signal }: RunOptions = {}): Promise<{
  plan: TeardownPlan;
  phases: string[];
}> {
  const helper = await openHelper(engine, hyperkube, { propagation: "rshared" });
  try {
    const [facts, files] = await Promise.all([collectEngineFacts(engine), helper.readFiles()]);
    const footprint = await showFootprint(helper, teardownLookout(files));
    const options = { force, purge, timeoutMs: 120_000 };
    const plan = planTeardown({ engine: facts, footprint, files, options, helperId: helper.id });
    const times = await applyPlan(plan, {
      engine,
      helper,
      containers: [],
      files,
      kept: new Set(),
      report: () => undefined,
      signal: signal ?? new AbortController().signal,
      timeoutMs: 120_000,
      pullTimeoutMs: 120_000,
      keepOnFailure: false,
      newId: () => "test",
    });
    return { plan, phases: times.map(({ phase }) => phase) };
  } finally {
    await helper.close();
  }
}

/** What `master` writes before it changes anything. */
async function recordBefore(): Promise<void> {
  const helper = await openHelper(engine, hyperkube);
  const facts = await helper.collectFacts({ dockerRootDir: "/var/lib/docker" });
  const file = hostBeforeFile(facts, await helper.readFiles());
  await helper.writeFiles(file === undefined ? [] : [file]);
  await helper.close();
}

beforeAll(async () => {
  engine = await freshMachine();
  await sh(owners);
  return async () => {
    await sh(removeOwners);
    await engine.close();
  };
});

afterEach(async () => {
  await sh("chattr -i /var/lib/kubelet/immutable 2>/dev/null || true; rm -rf /tmp/said");
  await teardown({ force: true, purge: true });
});

describe("teardown", () => {
  it("brings the host back to what it was, but for what a later master needs; --purge brings back all", async () => {
    const before = await look();
    await recordBefore();
    await sh(kubernetes);
    const dirty = await look();

    const { plan, phases } = await teardown();
    expect(phases).toEqual(["kubelet", "pods", "control plane", "etcd", "containers", "clean-up"]);
    expect(plan.leftovers).toEqual(
      expect.arrayContaining([
        "mount /var/lib/kubelet/pods/uid-web/with blank",
        "link cni0",
        "link flannel.1",
        "route 10.244.7.0/24 via 10.77.0.1 dev eth0",
        "file or folder /run/flannel",
        "iptables chain ip6tables-nft mangle KUBE-KUBELET-CANARY",
        "iptables chain iptables-nft nat CNI-DN-1",
        "sysctl net.ipv4.conf.all.route_localnet from 1 back to 0",
        "cgroup /sys/fs/cgroup/memory/kubepods",
        "file or folder /etc/kubernetes/admin.conf",
        "log link /var/log/pods/default_web_uid-web/nginx/0.log",
      ]),
    );
    expect(plan.leftovers.filter((line) => /owners|podman|10\.244\.200|\/pki|etcd/i.test(line))).toEqual([]);
    // Each could save what it had, in the order in which it was needed.
    expect(await sh("cat /tmp/said/order && rm -r /tmp/said")).toBe("kubelet\nweb\napiserver\netcd");

    const after = await look();
    expect(before.filter((line) => !after.includes(line))).toEqual([]);
    const left = after.filter((line) => !before.includes(line));
    expect(dirty.filter((line) => !before.includes(line)).length).toBeGreaterThan(80);
    expect(left.map((line) => line.split(" ").find((word) => word.startsWith("/")) ?? line)).toEqual(
      expect.arrayContaining([
        "/etc/kubernetes",
        "/etc/kubernetes/host-before.json",
        "/etc/kubernetes/pki",
        "/etc/kubernetes/pki/ca.crt",
        "/etc/kubernetes/pki/ca.key",
        "/etc/kubernetes/tsdeploy.yaml",
        "/var/lib/etcd/member/wal/0",
      ]),
    );
    expect(left.filter((line) => !/ \/(etc\/kubernetes|var\/lib\/etcd)(\/| |$)/.test(line))).toEqual([]);

    const second = await teardown();
    expect(isNothingToDo(second.plan)).toBe(true);
    expect(second.plan.keeps).toContain("/var/lib/etcd");
    expect(await look()).toEqual(after);

    await teardown({ purge: true });
    expect(await look()).toEqual(before);
    expect(await sh("cat /srv/owners/file")).toBe("data");
  });

  it("asks no pod to end when forced", async () => {
    await recordBefore();
    await sh(kubernetes);
    const began = performance.now();
    await teardown({ force: true });
    expect(await sh("cat /tmp/said/order")).toMatch(/^(kubelet\n)?etcd$/);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it("stops waiting at a signal, and the next run goes on", async () => {
    await recordBefore();
    await sh(kubernetes);
    const grace = "--label annotation.io.kubernetes.pod.terminationGracePeriod=600";
    await sh(`${pod("deaf", "deaf", grace)} bash -c 'trap "" TERM; while :; do sleep 0.05; done' >/dev/null`);
    const controller = new AbortController();
    const run = teardown({ signal: controller.signal });
    run.catch(() => undefined);
    await sh("until grep -q web /tmp/said/order 2>/dev/null; do sleep 0.05; done");
    controller.abort();
    await expect(run).rejects.toMatchObject({ kind: "aborted" });

    await teardown({ force: true, purge: true });
    expect(await sh("docker ps -a --format '{{.Names}}'")).toBe("owners-container");
    expect(await sh("ls -d /var/lib/kubelet /etc/kubernetes 2>/dev/null || true")).toBe("");
  });

  it("says what it could not remove", async () => {
    await recordBefore();
    await sh(kubernetes);
    await sh("touch /var/lib/kubelet/immutable && chattr +i /var/lib/kubelet/immutable");
    const error = await teardown({ force: true }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TsdeployError);
    const [problem] = (error as TsdeployError).problems;
    expect(problem?.code).toBe("TEARDOWN_INCOMPLETE");
    expect(problem?.message).toBe("Still there after the teardown: file or folder /var/lib/kubelet/immutable");
    // By which the next teardown knows what is ours.
    expect(await sh("ls /etc/kubernetes/host-before.json")).toBe("/etc/kubernetes/host-before.json");
  });

  it("deals with a run that broke off before anything was started", async () => {
    await recordBefore();
    const { plan, phases } = await teardown();
    expect(phases).toEqual(["clean-up"]);
    expect(plan.leftovers).toEqual(["file or folder /etc/kubernetes/host-before.json"]);
    expect(await sh("ls -d /etc/kubernetes 2>/dev/null || true")).toBe("");
  });

  it("takes out what kube-proxy leaves of IPVS and nftables, and names what nobody can tell from others'", async () => {
    const encoded = (text: string): string => `"$(echo ${Buffer.from(text).toString("base64")} | base64 -d)"`;
    // This kernel has no such modules, and the script must not load any.
    const script = (await readFile("scripts/host/teardown.sh", "utf8"))
      .replaceAll("/proc/net/ip_vs", "/fake/ip_vs")
      .replaceAll("/sys/module/ip_set", "/fake/ip_set");
    const said = await sh(
      `docker run --rm --privileged ${hyperkube} bash -euc ${encoded(kubeProxy)} x ${encoded(script)}`,
    );
    const [shown, shownAfter, there] = said.split("---\n").map((part) => part.trim().split("\n"));
    const foreign = [
      "foreign-ipvs FWM 1",
      "foreign-ipvs TCP 10.77.0.16:30080",
      "foreign-ipvs TCP 10.77.0.16:81",
      "foreign-ipvs TCP 10.77.0.17:30081",
    ];
    expect(shown).toEqual([
      ...foreign,
      "ipset KUBE-CLUSTER-IP",
      "ipset KUBE-LOOP-BACK",
      "ipset KUBE-NODE-PORT-TCP",
      // A Service that has no pods just now: kube-proxy's own set says that the port is its.
      "ipvs TCP 10.77.0.16:30081",
      "ipvs TCP 10.96.0.1:443",
      "ipvs TCP [fd00::1]:443",
      "ipvs UDP 10.77.0.16:30053",
      "link kube-ipvs0",
      "nft-table ip kube-proxy",
      "nft-table ip6 kube-proxy",
    ]);
    expect(shownAfter).toEqual(foreign);
    expect(there).toEqual([
      "table inet owners",
      ...["KUBE-OWN", "owners-set"],
      ...["-t 10.77.0.16:30080", "-t 10.77.0.17:30081", "-t 10.77.0.16:81", "-t 10.77.0.16:82", "-f 1"].map((server) => `-A ${server} -s rr`),
    ]);
  });

  it("puts back sysctls that Kubernetes has set, and leaves what somebody has chosen since", async () => {
    const encoded = Buffer.from(await readFile("scripts/host/teardown.sh", "utf8")).toString("base64");
    const [computed, chosen, set] = ["all.arp_ignore", "all.arp_announce", "default.arp_announce"].map((name) => `net.ipv4.conf.${name}`);
    const scope = [
      ...[computed, chosen, set].map((name) => `--sysctl ${name}=0`),
      ...[chosen, set].map((name) => `--set-by-us ${name}=2`),
    ].join(" ");
    // In a network namespace of its own, which has these by itself.
    const said = await sh(`
      docker run --rm -i --privileged ${hyperkube} bash -eu <<'END'
sysctl -qw ${computed}=1 ${chosen}=1 ${set}=2
script=$(echo ${encoded} | base64 -d)
bash -c "$script" teardown show ${scope} </dev/null | grep ^sysctl | sort
bash -c "$script" teardown clean ${scope} </dev/null | { grep ^sysctl || true; }
sysctl -n ${computed} ${chosen} ${set}
END`);
    expect(said.trim().split("\n")).toEqual([`sysctl ${computed} 1`, `sysctl ${set} 2`, "0", "1", "0"]);
  });

  it("has systemd take back the units that it made for pods, and no others", async () => {
    // A machine has no systemd: its systemctl here is one that knows units by files.
    await sh(fakeSystemd);
    try {
      await recordBefore();
      const { plan } = await teardown();
      expect(plan.leftovers).toEqual(
        expect.arrayContaining(["systemd unit kubepods.slice", "systemd unit kubepods-besteffort.slice"]),
      );
      expect(await sh("ls /run/fake-units")).toBe("kubepods.service\nsystem.slice");
    } finally {
      await sh("rm -r /run/systemd /run/fake-units /usr/local/bin/systemctl");
    }
  });

  it("takes rules out of both of iptables' backends, and leaves tables alone that hold anything else", async () => {
    const encoded = (text: string): string => `"$(echo ${Buffer.from(text).toString("base64")} | base64 -d)"`;
    const script = await readFile("scripts/host/teardown.sh", "utf8");
    const left = await sh(
      `docker run --rm --privileged ${hyperkube} bash -euc ${encoded(bothBackends)} x ${encoded(script)}`,
    );
    const tables = (line: string): string[] => line.split("COMMIT").map((table) => table.trim()).filter(Boolean).sort();
    const [nft, legacy, nft6, legacy6] = left.split("\n").map(tables);
    const held = ["*filter :FORWARD DROP [0:0] :KUBE-BEFORE - [0:0]", "*nat :OWNERS - [0:0]"];
    expect([nft, nft6]).toEqual([held, held]);
    // The kernel keeps a legacy table once it is there.
    const [filter = "", nat = ""] = held;
    expect([legacy, legacy6]).toEqual([[filter, "*mangle", nat], [filter, "*mangle", nat]]);
  });
});
