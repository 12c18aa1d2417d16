/** What the owner of machine 3 sets at each boot. Nothing of it may ever change. */
export const ownersRules = `
  iptables -N OWNERS-CHAIN
  iptables -A OWNERS-CHAIN -p tcp --dport 9 -j DROP
  iptables -A INPUT -j OWNERS-CHAIN
  iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
`;

const addon = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: {
    name: "owners-addon",
    namespace: "kube-system",
    labels: { "addonmanager.kubernetes.io/mode": "Reconcile", "kubernetes.io/cluster-service": "true" },
  },
};

/** What the owner of every machine has in folders that Kubernetes uses as well. */
export const ownersFiles = `
  mkdir -p /var/lib/etcd/default/member /etc/kubernetes/addons /var/lib/kubelet/{pods,plugins,seccomp}
  mkdir -p /var/lib/cni/networks/podman
  chmod 750 /var/lib/etcd && echo data >/var/lib/etcd/default/member/db
  echo '${JSON.stringify(addon)}' >/etc/kubernetes/addons/owners.json
  echo '{"auths":{}}' >/var/lib/kubelet/config.json && chmod 600 /var/lib/kubelet/config.json
  echo '{}' >/var/lib/kubelet/seccomp/owners.json
  echo 10.88.0.2 >/var/lib/cni/networks/podman/last_reserved_ip.0
`;

/** All that the owner has on machine 3 besides. */
export const ownersThings = `
  docker run -d --name owners-container --restart always -v owners-volume:/data tsdeploy/workload:test >/dev/null
  mkdir -p /etc/cni/net.d /opt/cni/bin /opt/owners-empty-folder
  echo '{"cniVersion":"0.3.1","name":"owners","type":"loopback"}' >/etc/cni/net.d/99-owners.conf
  echo owners >/opt/cni/bin/owners-plugin
  ${ownersRules}
`;
