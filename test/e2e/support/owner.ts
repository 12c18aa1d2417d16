/** What the owner of machine 3 lays down at each boot. Nothing of it may ever change. */
export const ownersRules = `
  iptables -N OWNERS-CHAIN
  iptables -A OWNERS-CHAIN -p tcp --dport 9 -j DROP
  iptables -A INPUT -j OWNERS-CHAIN
  iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
`;

/** All that the owner has on machine 3 already. */
export const ownersThings = `
  docker run -d --name owners-container --restart always -v owners-volume:/data tsdeploy/workload:test >/dev/null
  mkdir -p /etc/cni/net.d /opt/cni/bin /opt/owners-empty-folder
  echo '{"cniVersion":"0.3.1","name":"owners","type":"loopback"}' >/etc/cni/net.d/99-owners.conf
  echo owners >/opt/cni/bin/owners-plugin
  ${ownersRules}
`;
