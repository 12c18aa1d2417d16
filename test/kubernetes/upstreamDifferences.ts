/** Where v1.3.6 with --insecure-api does not say what docker-multinode says; who says nothing is left out. */
export interface Difference {
  readonly where: string;
  readonly upstream?: string;
  readonly ours?: string;
  readonly reason: string;
}

type Sides = Pick<Difference, "upstream" | "ours">;
type Place = Omit<Difference, "reason">;

function because(reason: string, ...places: readonly (readonly Place[])[]): Difference[] {
  return places.flat().map((place) => ({ ...place, reason }));
}

/** The same in several containers. */
function at(containers: readonly string[], what: string, sides: Sides): Place[] {
  return containers.map((container) => ({ where: `${container}: ${what}`, ...sides }));
}

/** What only we say of one container. */
function added(container: string, facts: Readonly<Record<string, string>>): Place[] {
  return Object.entries(facts).map(([what, ours]) => ({ where: `${container}: ${what}`, ours }));
}

const pods = ["k8s-master", "k8s-proxy", "kube-addon-manager"];
const setup = "k8s-master/setup";
const apiserver = "k8s-master/apiserver";
const controllerManager = "k8s-master/controller-manager";
const scheduler = "k8s-master/scheduler";
const proxyPod = "k8s-proxy/kube-proxy";
const addonManager = "kube-addon-manager/kube-addon-manager";
const addonData = "kube-addon-manager/kube-addon-manager-data";
const unprivileged = [setup, apiserver, controllerManager, scheduler, addonManager, addonData];
const inPods = [...unprivileged, proxyPod];
const kubelets = ["master: kubelet", "worker: kubelet"];
const proxies = [proxyPod, "worker: proxy"];
const etcd = "master: etcd";
const flannel = "master and worker: flannel";

export const differences: readonly Difference[] = [
  // The identity survives.
  ...because(
    "Upstream made a new identity with each new pod, which broke every token: ours is the host's, and this is a copy.",
    added(setup, {
      "mount /etc/kubernetes/pki": "host's /etc/kubernetes/pki",
      "mount /var/lib/etcd": "host's /var/lib/etcd, read-only",
    }),
    at([apiserver], "--tls-cert-file", {
      upstream: "/srv/kubernetes/server.cert",
      ours: "/srv/kubernetes/apiserver.crt",
    }),
    at([apiserver], "--tls-private-key-file", {
      upstream: "/srv/kubernetes/server.key",
      ours: "/srv/kubernetes/apiserver.key",
    }),
  ),
  ...because(
    "Tokens are signed with a key of their own, so that the server's certificate can be renewed.",
    at([controllerManager], "--service-account-private-key-file", {
      upstream: "/srv/kubernetes/server.key",
      ours: "/srv/kubernetes/sa.key",
    }),
    added(apiserver, { "--service-account-key-file": "/srv/kubernetes/sa.pub" }),
  ),
  ...because(
    "Keys lie in memory, and are not changed by who reads them.",
    at([setup], "mount /data", { upstream: "empty folder data", ours: "empty folder data in memory" }),
    at([apiserver, controllerManager], "mount /srv/kubernetes", {
      upstream: "empty folder data",
      ours: "empty folder data in memory, read-only",
    }),
  ),
  ...because(
    "Upstream's script makes tokens and the password admin for all versions; ours random ones, for those that read them.",
    added(setup, { "--tokens": "true", "--basic-auth": "true" }),
  ),
  ...because(
    "Administrators and probes reach the API server by these names; upstream's script adds the host's address itself.",
    added(setup, {
      "certificate for DNS:localhost": "yes",
      "certificate for IP:127.0.0.1": "yes",
      "certificate for IP:10.0.0.5": "yes",
    }),
  ),
  ...because(
    "etcd has certificates, and whoever makes them gives them the same names.",
    added(setup, { "--etcd-names": "IP:10.0.0.5,DNS:localhost,IP:127.0.0.1,IP:::1" }),
  ),
  ...because(
    "setup-files.sh makes a service-account key of an elliptic curve, unless it is told that the version may know none.",
    added(setup, { "--rsa": "true" }),
  ),

  // Scripts and order.
  ...because(
    "Our scripts are laid on the host, so that any hyperkube image will do.",
    at(inPods, "mount /etc/kubernetes/scripts", { ours: "host's /etc/kubernetes/scripts, read-only" }),
    at([setup], "program", { upstream: "/setup-files.sh", ours: "/etc/kubernetes/scripts/setup-files.sh" }),
    at([addonData], "program", { upstream: "/copy-addons.sh", ours: "/etc/kubernetes/scripts/copy-addons.sh" }),
  ),
  ...because(
    "Upstream's programs crash until what they need is there, and are started again after a back-off of 10 s.",
    added(apiserver, { "waits for": "/srv/kubernetes/.complete, 127.0.0.1:2379" }),
    added(controllerManager, { "waits for": "/srv/kubernetes/.complete, http://127.0.0.1:8080" }),
    added(scheduler, { "waits for": "http://127.0.0.1:8080" }),
    added(proxyPod, { "waits for": "http://127.0.0.1:8080" }),
    added(addonManager, { "waits for": "/etc/kubernetes/addons/.complete, http://127.0.0.1:8080" }),
    added("worker: proxy", { "waits for": "/etc/kubernetes/kubelet.conf" }),
  ),

  // What an administrator of today expects of static pods.
  ...because(
    "A program that hangs is started again.",
    added(apiserver, { probe: "http://127.0.0.1:8080/healthz" }),
    added(controllerManager, { probe: "http://127.0.0.1:10252/healthz" }),
    added(scheduler, { probe: "http://127.0.0.1:10251/healthz" }),
    added(proxyPod, { probe: "http://127.0.0.1:10256/healthz" }),
  ),
  ...because(
    "Where processors are short, the control plane has a share.",
    at([setup, addonData], "requests cpu", { ours: "5m" }),
    at([apiserver], "requests cpu", { ours: "100m" }),
    at([controllerManager], "requests cpu", { ours: "50m" }),
    at([scheduler, proxyPod], "requests cpu", { ours: "25m" }),
  ),
  ...because(
    "The image is on the host already, often from nowhere that it could be pulled from.",
    at(inPods, "pulled", { ours: "IfNotPresent" }),
  ),
  ...because(
    "Has no effect in v1.3, and none of these needs more than it has.",
    at(unprivileged, "may gain privileges", { ours: "no" }),
  ),
  ...because(
    "By these a later run sees whether a person has edited the manifest, and whether its files are new.",
    at(pods, "mark io.tsdeploy.spec", { ours: "digest" }),
    at(pods, "mark io.tsdeploy.inputs", { ours: "digest" }),
  ),
  ...because(
    "By this a later run sees how long the programs may take to start, and does not restart them for another time.",
    at(["k8s-master", "k8s-proxy"], "mark io.tsdeploy.startup-seconds", { ours: "digest" }),
  ),
  ...because(
    "Labels by which control planes' pods are found.",
    added("k8s-master", { "mark component": "k8s-master", "mark tier": "control-plane" }),
    added("k8s-proxy", { "mark component": "kube-proxy", "mark tier": "node" }),
    added("kube-addon-manager", { "mark component": "kube-addon-manager", "mark tier": "control-plane" }),
  ),
  ...because(
    "How much a program says is the administrator's to choose, by extraArgs.",
    at([apiserver, controllerManager, scheduler, ...proxies, ...kubelets], "--v", { upstream: "2" }),
  ),

  // etcd.
  ...because(
    "Any pod on the host's network reaches loopback: etcd asks for a certificate even there, and serves nobody else.",
    at([apiserver], "--etcd-servers", { upstream: "http://127.0.0.1:4001", ours: "https://127.0.0.1:2379" }),
    added(apiserver, {
      "--etcd-cafile": "/srv/kubernetes/etcd/ca.crt",
      "--etcd-certfile": "/srv/kubernetes/apiserver-etcd-client.crt",
      "--etcd-keyfile": "/srv/kubernetes/apiserver-etcd-client.key",
    }),
    at([etcd], "--listen-client-urls", {
      upstream: "http://0.0.0.0:2379,http://0.0.0.0:4001",
      ours: "https://127.0.0.1:2379",
    }),
    at([etcd], "--advertise-client-urls", {
      upstream: "http://127.0.0.1:2379,http://127.0.0.1:4001",
      ours: "https://127.0.0.1:2379",
    }),
    at([etcd], "--listen-peer-urls", { upstream: "http://0.0.0.0:2380", ours: "https://127.0.0.1:2380" }),
    added(etcd, {
      "--name": "default",
      "--initial-advertise-peer-urls": "https://127.0.0.1:2380",
      "--initial-cluster": "default=https://127.0.0.1:2380",
      "--cert-file": "/etc/kubernetes/pki/etcd/server.crt",
      "--key-file": "/etc/kubernetes/pki/etcd/server.key",
      "--client-cert-auth": "true",
      "--trusted-ca-file": "/etc/kubernetes/pki/etcd/ca.crt",
      "--peer-cert-file": "/etc/kubernetes/pki/etcd/server.crt",
      "--peer-key-file": "/etc/kubernetes/pki/etcd/server.key",
      "--peer-client-cert-auth": "true",
      "--peer-trusted-ca-file": "/etc/kubernetes/pki/etcd/ca.crt",
      "bind /etc/kubernetes/pki/etcd": "/etc/kubernetes/pki/etcd, ro",
    }),
  ),
  ...because(
    "etcd's data outlives the kubelet's folder, which upstream's turndown deletes.",
    at([etcd], "--data-dir", { upstream: "/var/etcd/data", ours: "/var/lib/etcd" }),
    at([etcd], "bind /var/etcd", { upstream: "/var/lib/kubelet/etcd" }),
    added(etcd, { "bind /var/lib/etcd": "/var/lib/etcd" }),
  ),
  ...because(
    "The last etcd with the v2 API that v1.3 stores by, which has to be asked for; upstream's has nothing else.",
    added(etcd, { image: "gcr.io/google_containers/etcd:3.5.26-0", "--enable-v2": "true" }),
    at([etcd], "program", { upstream: "/usr/local/bin/etcd", ours: "etcd" }),
  ),

  // The pod network.
  ...because(
    "The pod network is each node's bridge by CNI, or one that the administrator brings: there is no flannel.",
    at([flannel], "program", { upstream: "/opt/bin/flanneld" }),
    at([flannel], "--etcd-endpoints", { upstream: "http://10.0.0.5:2379" }),
    at([flannel], "--ip-masq", { upstream: "true" }),
    at([flannel], "--iface", { upstream: "10.0.0.5" }),
    at([flannel], "bind /dev/net", { upstream: "/dev/net" }),
    at([flannel], "bind /run/flannel", { upstream: "/run/flannel" }),
    at([flannel], "host network", { upstream: "yes" }),
    at([flannel], "host PIDs", { upstream: "no" }),
    at([flannel], "privileged", { upstream: "yes" }),
    at([flannel], "restart", { upstream: "unless-stopped" }),
  ),
  ...because(
    "With `unless-stopped` a crash of dockerd would be the end of the cluster: Docker takes its containers for stopped.",
    at(["master: etcd", ...kubelets, "worker: proxy"], "restart", { ours: "always", upstream: "unless-stopped" }),
  ),
  ...because(
    "Nodes get their pod CIDRs from the controller-manager, where upstream's flannel gives them out.",
    added(controllerManager, {
      "--allocate-node-cidrs": "true",
      "--cluster-cidr": "10.1.0.0/16",
      "--service-cluster-ip-range": "10.0.0.0/24",
    }),
    at(proxies, "--cluster-cidr", { ours: "10.1.0.0/16" }),
  ),
  ...because(
    "Controllers that start together are not held up by the usual 20 requests a second.",
    added(controllerManager, { "--kube-api-burst": "200", "--kube-api-qps": "100" }),
  ),
  ...because(
    "Docker drops what is forwarded where it has turned forwarding on: our chains let the pod network through.",
    at(kubelets, "start.sh --forward", { ours: "10.1.0.0/16" }),
    at([proxyPod, "worker: proxy", ...kubelets], "start.sh --iptables", { ours: "legacy" }),
  ),
  ...because(
    "Keys of RSA, which a kubelet makes for its server, take seconds on a small board.",
    at(["master: kubelet"], "start.sh --certificate", { ours: "/var/lib/kubelet/pki=10.0.0.5" }),
    at(["worker: kubelet"], "start.sh --certificate", { ours: "/var/lib/kubelet/pki=10.0.0.6" }),
  ),
  ...because(
    "Both write rules by the host's kernel modules and share one lock with the host.",
    added(proxyPod, {
      "mount /lib/modules": "host's /lib/modules, read-only",
      "mount /run/xtables.lock": "host's /run/xtables.lock",
    }),
    added("worker: proxy", { "bind /lib/modules": "/lib/modules, ro", "bind /run": "/run" }),
    at(kubelets, "bind /lib/modules", { ours: "/lib/modules, ro" }),
  ),
  ...because(
    "What v1.3 comes to by itself where the node says nothing else; upstream leaves it to that.",
    at(proxies, "--proxy-mode", { ours: "iptables" }),
  ),
  ...because(
    "On v1.3 a node is called by its address: by this name kube-proxy finds its own.",
    at([proxyPod], "--hostname-override", { ours: "10.0.0.5" }),
    at(["worker: proxy"], "--hostname-override", { ours: "10.0.0.6" }),
  ),
  ...because(
    "The same port for all versions, which the probes ask.",
    at(proxies, "--healthz-port", { ours: "10256" }),
  ),
  ...because(
    "As in upstream's own pod: a container is a cgroup already.",
    at(["worker: proxy"], "--resource-container", { ours: "" }),
  ),
  ...because(
    "The kubeconfig by which this node is known, for an API that is not open.",
    added("worker: proxy", { "bind /etc/kubernetes": "/etc/kubernetes, ro" }),
  ),

  // Ports that are nobody's business.
  ...because(
    "The API is open when asked for, everything else stays closed: these would be for anybody.",
    at([controllerManager, scheduler], "--address", { ours: "127.0.0.1" }),
    at(kubelets, "--read-only-port", { ours: "0" }),
    at(kubelets, "--cadvisor-port", { ours: "0" }),
    at(kubelets, "start.sh --close-kubelet", { ours: "10.0.0.5" }),
    at(kubelets, "start.sh --close-loopback", { ours: "127.0.0.0/8" }),
  ),
  ...because(
    "The API server shows kubelets who it is.",
    added(apiserver, {
      "--kubelet-client-certificate": "/srv/kubernetes/apiserver-kubelet-client.crt",
      "--kubelet-client-key": "/srv/kubernetes/apiserver-kubelet-client.key",
    }),
  ),
  ...because(
    "A host may have several addresses: this is the one that was chosen.",
    added(apiserver, { "--advertise-address": "10.0.0.5" }),
    at(["master: kubelet"], "--node-ip", { ours: "10.0.0.5" }),
    at(["worker: kubelet"], "--node-ip", { ours: "10.0.0.6" }),
  ),

  // The addon manager.
  ...because(
    "The manager runs from the hyperkube image: one image for the whole cluster, and it is told where the API is.",
    at([addonManager], "image", {
      upstream: "gcr.io/google-containers/kube-addon-manager-amd64:v4",
      ours: "gcr.io/google_containers/hyperkube-amd64:v1.3.6",
    }),
    added(addonManager, {
      program: "/etc/kubernetes/scripts/kube-addons.sh",
      "--kubeconfig": "/etc/kubernetes/addon-manager.conf",
      "mount /etc/kubernetes/addon-manager.conf": "host's /etc/kubernetes/addon-manager.conf, read-only",
    }),
  ),
  ...because(
    "What the folder of another master had is not deleted when this one takes over.",
    added(addonManager, { "--keeper": "10.0.0.5" }),
  ),
  ...because(
    "Addons are the host's, where administrators add their own; upstream's are those in the image.",
    added(addonData, { "mount /etc/kubernetes/addons": "host's /etc/kubernetes/addons, read-only" }),
    at([addonData], "mount /srv/kubernetes", { upstream: "empty folder addons" }),
    added(addonData, { "mount /srv/kubernetes/addons": "empty folder addons" }),
    at([addonManager], "mount /etc/kubernetes", { upstream: "empty folder addons, read-only" }),
    added(addonManager, { "mount /etc/kubernetes/addons": "empty folder addons, read-only" }),
  ),

  // The kubelet.
  ...because(
    "The image that later releases of those years had; it is published for more architectures.",
    at(kubelets, "--pod-infra-container-image", {
      upstream: "gcr.io/google_containers/pause-amd64:3.0",
      ours: "gcr.io/google_containers/pause:3.1",
    }),
  ),
  ...because(
    "A replaced kubelet container keeps its certificate, plugins, network and sandboxes, and lets pods' logs be found.",
    at(kubelets, "--cert-dir", { ours: "/var/lib/kubelet/pki" }),
    at(kubelets, "--volume-plugin-dir", { ours: "/var/lib/kubelet/volume-plugins" }),
    at(kubelets, "bind /etc/cni/net.d", { ours: "/etc/cni/net.d" }),
    at(kubelets, "bind /var/lib/cni", { ours: "/var/lib/cni" }),
    at(kubelets, "bind /var/lib/dockershim", { ours: "/var/lib/dockershim" }),
    at(kubelets, "bind /var/log/pods", { ours: "/var/log/pods" }),
  ),
  ...because(
    "Manifests are the host's, where administrators edit them; upstream's are those in the image.",
    at(kubelets, "bind /etc/kubernetes", { ours: "/etc/kubernetes" }),
  ),
  ...because(
    "Devices and folders that people mount into pods: the kubelet itself looks at them.",
    at(kubelets, "bind /dev", { ours: "/dev" }),
    ...["/home", "/media", "/mnt", "/srv", "/tmp"].map((folder) =>
      at(kubelets, `bind ${folder}`, { ours: `${folder}, rslave` }),
    ),
  ),
  ...because(
    "A node says of itself what its host is, not what the image is.",
    ...["/etc/machine-id", "/etc/os-release"].map((file) => at(kubelets, `bind ${file}`, { ours: `${file}, ro` })),
  ),
  ...because(
    "With what is mounted below it already.",
    at(kubelets, "bind /var/lib/kubelet", { upstream: "/var/lib/kubelet, shared", ours: "/var/lib/kubelet, rshared" }),
  ),
  ...because(
    "On cgroup v2 Docker would give even a privileged container a cgroup namespace of its own.",
    at([...kubelets, "worker: proxy"], "host cgroup namespace", { ours: "yes" }),
  ),
  ...because(
    "This kubelet does not understand all that a newer API of Docker answers.",
    at(kubelets, "env DOCKER_API_VERSION", { ours: "DOCKER_API_VERSION=1.24" }),
  ),
  ...because(
    "A full disk is no reason to delete the images that a user of this Docker has.",
    at(kubelets, "--image-gc-high-threshold", { ours: "100" }),
  ),
  ...because(
    "The default of later releases: pods go before the host's memory does.",
    at(kubelets, "--eviction-hard", { ours: "memory.available<100Mi" }),
  ),
  ...because(
    "A node is Ready, and a changed manifest in force, in seconds instead of up to twenty.",
    at(kubelets, "--node-status-update-frequency", { ours: "4s" }),
    at(kubelets, "--file-check-frequency", { ours: "1s" }),
  ),
];
