/** What kubelets and kube-proxies set: another value is somebody else's choice and stays. The rest they compute. */
const fixedSysctls: Readonly<Record<string, string>> = {
  "vm.overcommit_memory": "1",
  "vm.panic_on_oom": "0",
  "kernel.panic": "10",
  "kernel.panic_on_oops": "1",
  "kernel.keys.root_maxkeys": "1000000",
  "kernel.keys.root_maxbytes": "25000000",
  "net.ipv4.ip_forward": "1",
  "net.ipv6.conf.all.forwarding": "1",
  "net.ipv4.conf.all.route_localnet": "1",
  "net.bridge.bridge-nf-call-iptables": "1",
  "net.bridge.bridge-nf-call-ip6tables": "1",
};

/** Of an interface whose routers a host of IPv6 goes on listening to though it forwards. */
const isAcceptRa = /^net\.ipv6\.conf\..+\.accept_ra$/;

/** @returns undefined if it is computed, or not theirs */
export function valueOfKubernetes(sysctl: string): string | undefined {
  return isAcceptRa.test(sysctl) ? "2" : fixedSysctls[sysctl];
}
