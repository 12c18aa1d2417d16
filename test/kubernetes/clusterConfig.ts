import type { ClusterConfig } from "../../src/model/clusterConfig.js";

/** A cluster's configuration; tests change what they are about. */
export const clusterConfig: ClusterConfig = {
  clusterName: "kubernetes",
  version: "v1.20.2",
  image: "tsdeploy/hyperkube:v1.20.2",
  apiserver: "https://10.0.0.5:6443",
  podCidr: ["10.244.0.0/16"],
  serviceCidr: ["10.96.0.0/12"],
  clusterDomain: "cluster.local",
  clusterDns: "10.96.0.10",
  network: "bridge",
  networkBackend: "vxlan",
  insecureApi: false,
  proxyMode: "iptables",
  addons: ["coredns"],
  extraArgs: { kubelet: { v: "2" } },
};
