import { readFile } from "node:fs/promises";
import { afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { freshMachine, hyperkube, sh } from "./support/testMachine.js";

/** A neighbour on a network of its own with the machine, which sends what is for 127.0.0.1 to the machine. */
const neighbour = `
  ip netns add neighbour
  ip link add to-neighbour type veth peer name to-machine netns neighbour
  # Docker gives a machine that is a container none.
  sysctl -n net.ipv6.conf.lo.disable_ipv6 >/tmp/disable_ipv6
  sysctl -qw net.ipv6.conf.{lo,to-neighbour}.disable_ipv6=0
  ip address add 192.0.2.1/24 dev to-neighbour && ip -6 address add 2001:db8::1/64 dev to-neighbour nodad
  ip link set to-neighbour up
  ip netns exec neighbour bash -euc '
    sysctl -qw net.ipv6.conf.to-machine.disable_ipv6=0
    ip address add 192.0.2.2/24 dev to-machine && ip -6 address add 2001:db8::2/64 dev to-machine nodad
    ip link set to-machine up
    ip route add 127.0.0.1/32 via 192.0.2.1
    sysctl -qw net.ipv4.conf.all.route_localnet=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.to-machine.rp_filter=0'
  # As kube-proxy does.
  sysctl -qw net.ipv4.conf.all.route_localnet=1
`;
const listeners = `
  docker run -d --name listens --network host ${hyperkube} bash -c '
    for on in TCP4-LISTEN:8080,bind=127.0.0.1 TCP6-LISTEN:10250; do socat $on,reuseaddr,fork SYSTEM:"echo yes" & done; wait'
  until ss -ltn | grep -q :8080 && ss -ltn | grep -q :10250; do :; done
`;
const cleanUp = `
  docker rm -f listens >/dev/null 2>&1 || true
  ip netns delete neighbour 2>/dev/null || true
  ip link delete to-neighbour 2>/dev/null || true
  sysctl -qw net.ipv4.conf.all.route_localnet=0 net.ipv6.conf.lo.disable_ipv6=$(cat /tmp/disable_ipv6) && rm /tmp/disable_ipv6
  for iptables in iptables ip6tables; do
    for chain in TSDEPLOY-KUBELET TSDEPLOY-LOOPBACK; do
      for from in INPUT FORWARD; do $iptables -D $from -j $chain 2>/dev/null || true; done
      $iptables -F $chain 2>/dev/null && $iptables -X $chain || true
    done
  done
`;

/** What the program at that address says, to the machine itself or to its neighbour; `closed` if nothing comes. */
async function answer(from: "machine" | "neighbour", address: string, port: number): Promise<string> {
  const connect = `timeout 2 bash -c "exec 3<>/dev/tcp/${address}/${port} && cat <&3" 2>/dev/null || echo closed`;
  return sh(from === "machine" ? connect : `ip netns exec neighbour ${connect}`);
}

/** As the kubelet's container does. */
async function start(...options: string[]): Promise<void> {
  const script = Buffer.from(await readFile("scripts/pod/start.sh")).toString("base64");
  await sh(
    `docker run --rm --network host --privileged ${hyperkube} bash -c` +
      ` "$(echo ${script} | base64 -d)" start.sh --iptables nft ${options.join(" ")} -- true`,
  );
}

beforeAll(async () => {
  const engine = await freshMachine();
  return () => engine.close();
});
beforeEach(async () => {
  await sh(`${neighbour}${listeners}`);
});
afterEach(() => sh(cleanUp).then(() => undefined));

describe("start.sh", () => {
  it("keeps neighbours from what listens on loopback, and nobody else", async () => {
    // So it is without the rule, or the rest proves nothing.
    expect(await answer("neighbour", "127.0.0.1", 8080)).toBe("yes");
    await start("--close-loopback", "127.0.0.0/8");
    expect(await answer("neighbour", "127.0.0.1", 8080)).toBe("closed");
    expect(await answer("machine", "127.0.0.1", 8080)).toBe("yes");
    // kube-proxy's way to loopback: a NodePort of a pod that listens there.
    await sh("iptables -t nat -I PREROUTING -p tcp --dport 30080 -j DNAT --to-destination 127.0.0.1:8080");
    try {
      expect(await answer("neighbour", "192.0.2.1", 30080)).toBe("yes");
    } finally {
      await sh("iptables -t nat -D PREROUTING -p tcp --dport 30080 -j DNAT --to-destination 127.0.0.1:8080");
    }
  });

  it("closes a kubelet's port to neighbours by IPv4 and IPv6", async () => {
    const addresses = ["192.0.2.1", "2001:db8::1"];
    for (const address of addresses) expect(await answer("neighbour", address, 10250), address).toBe("yes");
    await start("--close-kubelet", "10.0.0.5");
    for (const address of addresses) {
      expect(await answer("neighbour", address, 10250), address).toBe("closed");
      expect(await answer("machine", address, 10250), address).toBe("yes");
    }
    await start("--close-kubelet", "192.0.2.2");
    expect(await answer("neighbour", "192.0.2.1", 10250)).toBe("yes");
  });
});
