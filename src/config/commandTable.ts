import type { CommandName } from "./optionTable.js";

export interface CommandRow {
  readonly name: CommandName;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What a person should know before running it; whole sentences. */
  readonly description: string;
  /** Command lines, each with what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** It works on many hosts: with `--output json` its events are a stream of JSON on stderr. */
  readonly streamsEvents?: true;
}

/** Every command: help and completion are made from this and the table of options. */
export const commandTable: readonly CommandRow[] = [
  {
    name: "master",
    summary: "make this Docker host the control plane of a cluster",
    description:
      "Starts etcd and a kubelet in containers; the kubelet runs the control plane. Adds a context to your kubeconfig " +
      "and prints the line to run on workers. Run again, it changes what differs, or says that nothing does.",
    examples: [
      ["tsdeploy master", "with Docker of this machine"],
      ["tsdeploy master --dry-run", "show what would be done"],
      ["tsdeploy master --host ssh://root@10.0.0.5", "with Docker of another one"],
      ["tsdeploy master --extra-arg apiserver:service-node-port-range=80-32767", "with a flag for the API server"],
      ["tsdeploy master --config cluster.yaml", "with options from a file"],
      ["tsdeploy master --several-masters", "one that others can join"],
      ["tsdeploy master --join 10.0.0.5 --token-file token.txt", "a further master of that cluster"],
    ],
  },
  {
    name: "worker",
    summary: "make this Docker host a node of a cluster",
    description:
      "Joins the cluster whose master is at --master. Version, image and network come from there. Ends when the node " +
      "is Ready.",
    examples: [
      ["tsdeploy worker --master 10.0.0.5 --token TOKEN", "with the token that the master printed"],
      ["tsdeploy worker --master 10.0.0.5 --token-file - <token.txt", "without the token in the process list"],
      ["tsdeploy worker --master 10.0.0.5 --node-label disk=ssd", "with a label"],
    ],
  },
  {
    name: "teardown",
    summary: "take tsdeploy's part of this Docker host away again",
    description:
      "Removes tsdeploy's containers, the pods of its kubelet, their mounts, links and rules. etcd's data, the PKI and " +
      "the accepted options stay, so that `tsdeploy master` brings the cluster back, unless --purge is said.",
    examples: [
      ["tsdeploy teardown --dry-run", "show what would be removed"],
      ["tsdeploy teardown", "drain the node, then remove it"],
      ["tsdeploy teardown --purge --yes", "the cluster's data too, without asking"],
    ],
  },
  {
    name: "up",
    summary: "make a cluster of many machines, or bring it to what its file says",
    description:
      "The file has the options of `--config`, and `hosts`: which Docker each is, its role, and options of its own. Looks " +
      "at all hosts first, and touches none unless all pass every check. Then the masters in turn, then the workers; what " +
      "is as it should be is left alone. A worker that fails, or a host that is not reached, stops no other one.",
    examples: [
      ["tsdeploy up -f cluster.yaml --dry-run", "show the plan for all hosts"],
      ["tsdeploy up -f cluster.yaml", "carry it out"],
      ["tsdeploy up -f cluster.yaml --prune", "and remove nodes that are not in the file"],
      ["tsdeploy up -f cluster.yaml --output json 2>events.jsonl", "for programs"],
    ],
    streamsEvents: true,
  },
  {
    name: "down",
    summary: "take a cluster off all machines of its file",
    description: "What `teardown` does, on the workers first and then on the masters. Asks before --purge deletes data.",
    examples: [
      ["tsdeploy down -f cluster.yaml --dry-run", "show what would be removed"],
      ["tsdeploy down -f cluster.yaml --purge --yes", "the cluster's data too, without asking"],
    ],
    streamsEvents: true,
  },
  {
    name: "upgrade plan",
    summary: "show the way to another version of Kubernetes, and what stands against it",
    description:
      "With -f of a whole cluster, else of the one host that Docker's options name. Shows the versions to stop at, etcd's too, " +
      "what images have to be fetched, who still uses an API that the target has no more, and budgets that allow no eviction. " +
      "Changes nothing; the exit code is 0 if `upgrade apply` would begin.",
    examples: [
      ["tsdeploy upgrade plan -f cluster.yaml", "to the next version"],
      ["tsdeploy upgrade plan -f cluster.yaml --to v1.22.17", "to another one"],
    ],
    streamsEvents: true,
  },
  {
    name: "upgrade apply",
    summary: "bring a cluster to another version of Kubernetes",
    description:
      "Refuses with all that stands against it before anything is touched, and brings the images to all hosts first. Then the " +
      "masters one after the other, each with a copy of etcd's data and undone if it does not work, and the workers: " +
      "drained, changed, and taking pods again. Interrupted, the same command goes on from there. Without -f it is about the " +
      "one host that Docker's options name: the master first, then each worker.",
    examples: [
      ["tsdeploy upgrade apply -f cluster.yaml --to v1.22.17", "all hosts of a file"],
      ["tsdeploy upgrade apply -f cluster.yaml --parallel 3", "three workers at once"],
      ["tsdeploy upgrade apply --host ssh://root@10.0.0.6", "one host"],
    ],
    streamsEvents: true,
  },
  {
    name: "status",
    summary: "show what runs here, and how it is",
    description:
      "Containers, versions, health, when certificates end, and the nodes if a kubeconfig can be found. With -f one table " +
      "of all hosts of a cluster.",
    examples: [
      ["tsdeploy status", "for people"],
      ["tsdeploy status -f cluster.yaml", "of all machines"],
      ["tsdeploy status -f cluster.yaml --watch", "until Ctrl-C"],
      ["tsdeploy status --output json", "for programs"],
    ],
  },
  {
    name: "kubeconfig",
    summary: "print the cluster's kubeconfig, or merge it into yours",
    description: "Reads admin.conf from the master's host, where it always is.",
    examples: [
      ["tsdeploy kubeconfig >admin.conf", "into a file"],
      ["tsdeploy kubeconfig --merge", "into your own kubeconfig"],
    ],
  },
  {
    name: "token create",
    summary: "make a join token and print the line to run on the other host",
    description:
      "The token is good for --ttl. It is a secret: whoever has it can join the cluster, and with one for masters have all " +
      "of the cluster's keys, which lie in it, encrypted, as long as the token is good.",
    examples: [
      ["tsdeploy token create --ttl 1h", "for an hour"],
      ["tsdeploy token create --role master", "for a further master; two hours at most"],
    ],
  },
  {
    name: "token list",
    summary: "list the cluster's join tokens",
    description: "Shows ids and when they end, never a token itself.",
    examples: [["tsdeploy token list", ""]],
  },
  {
    name: "token revoke",
    summary: "make a join token useless",
    description: "Nodes that have joined with it stay.",
    examples: [["tsdeploy token revoke abcdef", "by its id"]],
  },
  {
    name: "member list",
    summary: "list the cluster's masters, as etcd has them",
    description: "On any master's host. Shows which vote, which still get the data, and which do not answer.",
    examples: [["tsdeploy member list", ""]],
  },
  {
    name: "member remove",
    summary: "remove a master that is lost for good",
    description:
      "On the host of a master that lives. Removes the lost one from etcd, and its node. Refused where it answers, or where " +
      "those that are left could not go on. `tsdeploy master --join` with the same node name does so by itself.",
    examples: [["tsdeploy member remove machine-3", "by its node's name"]],
  },
  {
    name: "addon list",
    summary: "list the add-ons that tsdeploy brings, and which are on",
    description: "On a master's host: each add-on with its release for the cluster's version, or why there is none.",
    examples: [["tsdeploy addon list", ""]],
  },
  {
    name: "addon enable",
    summary: "have an add-on in the cluster",
    description:
      "On the master's host. Ends when its pods take requests, or says what keeps them. Later runs of `master` keep it, " +
      "and bring its release for the version that they change to.",
    examples: [
      ["tsdeploy addon enable metrics-server", "for kubectl top"],
      ["tsdeploy addon enable coredns", "as `tsdeploy master --dns`"],
    ],
  },
  {
    name: "addon disable",
    summary: "take an add-on out of the cluster",
    description:
      "On the master's host. Deletes what tsdeploy has made for it, and ends when that is gone. A ConfigMap that you have edited stays, and so does " +
      "a file that you have.",
    examples: [["tsdeploy addon disable dashboard", ""]],
  },
  {
    name: "logs",
    summary: "show the log of a component on this host",
    description:
      "Of the newest container of that component, whether it runs or not. Without a component: which there are. With --file " +
      "of all hosts of a cluster, or of those that --on names; each line begins with its host's name.",
    examples: [
      ["tsdeploy logs", "what there is"],
      ["tsdeploy logs kubelet --tail 20", "the last lines"],
      ["tsdeploy logs apiserver --follow", "until Ctrl-C"],
      ["tsdeploy logs --file cluster.yaml kubelet --follow", "of all machines"],
    ],
  },
  {
    name: "exec",
    summary: "run a program in a component's container on this host",
    description:
      "In the kubelet's container unless --component says another: it is privileged, in the host's network and process " +
      "namespaces, with the image's programs. With -f on a host of a cluster's file, or on --all. The program gets no " +
      "input; its exit code is the command's, of several the highest.",
    examples: [
      ["tsdeploy exec -- iptables -S FORWARD", "on this machine's Docker"],
      ["tsdeploy exec -f cluster.yaml node-2 -- df -h /var/lib/kubelet", "on one of many"],
      ["tsdeploy exec -f cluster.yaml --all -- uname -r", "on all, each line with its host"],
    ],
  },
  {
    name: "config import",
    summary: "turn RKE's or k0sctl's file into a cluster's file",
    description:
      "Prints the file for `up` that RKE's `cluster.yml` or k0sctl's file comes to. Every key that has no counterpart is a " +
      "warning with its line, and a comment in what is printed. Asks no host; passwords and keys are not printed.",
    examples: [["tsdeploy config import cluster.yml >cluster.yaml", "then `tsdeploy config validate -f cluster.yaml`"]],
  },
  {
    name: "config print",
    summary: "show what a cluster's file comes to, host by host",
    description: "Defaults, and what hosts take from the rest of the file, are filled in. Asks no host.",
    examples: [["tsdeploy config print -f cluster.yaml", ""]],
  },
  {
    name: "config validate",
    summary: "look for mistakes in a cluster's file",
    description: "All of them at once, each with its line and column. Asks no host.",
    examples: [["tsdeploy config validate -f cluster.yaml", ""]],
  },
  {
    name: "image build",
    summary: "build an image with all that a node needs, from the projects' release files",
    description:
      "Downloads Kubernetes, etcd, the CNI plugins and cri-dockerd, checks them, and makes one image of them in Docker. " +
      "`master` and `worker` do the same when they need an image that nobody publishes.",
    examples: [
      ["tsdeploy image build", "of the default version"],
      ["tsdeploy image build --k8s-version v1.30.4 --arch arm64", "of another one, for other machines"],
      ["tsdeploy image build --binaries ./bin --base debian:13-slim", "with programs that are here"],
    ],
  },
  {
    name: "image list",
    summary: "list the images here that a node can run from",
    description:
      "Kubernetes version, architecture, size and contents of each. With --needed: all that a cluster of these options " +
      "takes from elsewhere.",
    examples: [
      ["tsdeploy image list", ""],
      ["tsdeploy image list --needed --addon metrics-server", "of a cluster with that add-on"],
    ],
  },
  {
    name: "image save",
    summary: "write all images of a cluster into one file",
    description:
      "For places without a network: the image of --k8s-version or --image, what the cluster needs besides and that image " +
      "does not hold, and the add-ons' images. What is not here is pulled or built first. The file is there when it is " +
      "whole, or not at all.",
    examples: [
      ["tsdeploy image save kubernetes.tar", "for `tsdeploy image load` elsewhere"],
      ["tsdeploy image save kubernetes.tar --addon metrics-server", "for a cluster with that add-on"],
      ["tsdeploy image save - --k8s-version v1.30.4 | zstd >kubernetes.tar.zst", "compressed"],
    ],
  },
  {
    name: "image load",
    summary: "take the images of such a file",
    description: "Takes an archive of images into Docker, plain or compressed by gzip, bzip2, xz or zstd as Docker can.",
    examples: [
      ["tsdeploy image load kubernetes.tar", ""],
      ["tsdeploy image load kubernetes.tar --host ssh://root@10.0.0.6", "into another machine's Docker"],
    ],
  },
  {
    name: "image copy",
    summary: "copy all images of a cluster into another machine's Docker",
    description:
      "From the Docker of --host into that of --to, without a file in between. What is there already is not sent again.",
    examples: [
      ["tsdeploy image copy --to ssh://root@10.0.0.6", "from this machine's Docker"],
      ["tsdeploy image copy --image lab/hyperkube:v1.30.4 --to ssh://root@10.0.0.6", "of that image's version"],
    ],
  },
  {
    name: "versions",
    summary: "list the versions of Kubernetes that can be run",
    description:
      "What differs between them, which is the default, which were tried, and where their images come from. Asks nobody.",
    examples: [["tsdeploy versions", ""]],
  },
];

/** Commands that have commands of their own. */
export const groupTable: readonly { readonly name: string; readonly summary: string }[] = [
  { name: "upgrade", summary: "another version of Kubernetes: plan, apply" },
  { name: "token", summary: "join tokens: create, list, revoke" },
  { name: "member", summary: "masters of a cluster of several: list, remove" },
  { name: "addon", summary: "add-ons of a cluster: list, enable, disable" },
  { name: "config", summary: "a cluster's file: import, print, validate" },
  { name: "image", summary: "images that nodes run from: build, list, save, load, copy" },
];
