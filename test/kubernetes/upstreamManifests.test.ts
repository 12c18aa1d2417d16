import { expect, test } from "vitest";
import type { ClusterConfig } from "../../src/model/clusterConfig.js";
import type { ObservedHost } from "../../src/model/hostFacts.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { masterInput, workerInput } from "../plan/fixtures.js";
import { differences } from "./upstreamDifferences.js";
import { type Facts, renderedFacts, type RenderedPod, upstreamFacts } from "./upstreamFacts.js";

/** What docker-multinode's variables and fixed values come to in our options. */
const registry = "gcr.io/google_containers";
const config: ClusterConfig = {
  ...masterInput.config,
  version: "v1.3.6",
  image: `${registry}/hyperkube-amd64:v1.3.6`,
  registry,
  apiserver: "https://10.0.0.5:6443",
  serviceCidr: ["10.0.0.0/24"],
  clusterDns: "10.0.0.10",
  podCidr: ["10.1.0.0/16"],
  insecureApi: true,
};
const options = { k8sVersion: config.version, image: config.image, registry };
/** A host of those days; the official image holds nothing but Kubernetes and CNI plugins. */
const observedWith = ({ host, engine, image, files }: ObservedHost): ObservedHost => ({
  host: { ...host, imagePrograms: { hyperkube: "/hyperkube" }, imageCniDir: "/opt/cni/bin", iptablesBackend: "legacy" },
  engine: { ...engine, version: { ...engine.version, minApiVersion: "1.12" } },
  image: { ...image, labels: {}, command: [] },
  files,
});

function ourFacts(): Facts {
  const master = planMaster({
    ...masterInput,
    options: { ...masterInput.options, ...options, insecureApi: true, serviceCidr: config.serviceCidr },
    config,
    observed: observedWith(masterInput.observed),
  });
  const worker = planWorker({
    ...workerInput,
    options: { ...workerInput.options, ...options },
    config,
    observed: observedWith(workerInput.observed),
  });
  const pods = filesOf(master)
    .filter(({ path }) => path.includes("/manifests-multi/"))
    .map(({ content }) => JSON.parse(content) as RenderedPod);
  const named = [master, worker].flatMap((plan) =>
    containersOf(plan).map((spec) => [`${plan.role}: ${spec.component}`, spec] as const),
  );
  return renderedFacts(pods, Object.fromEntries(named));
}

interface Seen {
  readonly where: string;
  readonly upstream?: string;
  readonly ours?: string;
}

function seenDifferences(upstream: Facts, ours: Facts): Seen[] {
  return [...new Set([...upstream.keys(), ...ours.keys()])]
    .filter((where) => upstream.get(where) !== ours.get(where))
    .map((where) => {
      const [theirs, own] = [upstream.get(where), ours.get(where)];
      return { where, ...(theirs !== undefined && { upstream: theirs }), ...(own !== undefined && { ours: own }) };
    });
}

const byPlace = (one: Seen, other: Seen): number => (one.where < other.where ? -1 : 1);

test("with --insecure-api v1.3.6 means what docker-multinode means, but for these differences", () => {
  const seen = seenDifferences(upstreamFacts(), ourFacts());
  const listed = differences.map(({ where, upstream, ours }) => ({
    where,
    ...(upstream !== undefined && { upstream }),
    ...(ours !== undefined && { ours }),
  }));
  // What is not listed, and what is listed but not so any more.
  expect(seen.sort(byPlace)).toEqual(listed.sort(byPlace));
});

test("each difference has a reason", () => {
  expect(differences.filter(({ reason }) => reason.trim().length < 20)).toEqual([]);
});

test("all else is there on both sides, and the same", () => {
  const [upstream, ours] = [upstreamFacts(), ourFacts()];
  const same = [...upstream.keys()].filter((where) => upstream.get(where) === ours.get(where));
  expect(same).toEqual(
    expect.arrayContaining([
      "k8s-master/apiserver: --admission-control",
      "k8s-master/apiserver: --insecure-bind-address",
      "k8s-master/apiserver: --service-cluster-ip-range",
      "k8s-master/apiserver: --token-auth-file",
      "k8s-master/controller-manager: --master",
      "k8s-proxy/kube-proxy: --master",
      "k8s-proxy/kube-proxy: privileged",
      "kube-addon-manager/kube-addon-manager: requests memory",
      "master: kubelet: --api-servers",
      "master: kubelet: --config",
      "master: kubelet: bind /var/lib/docker",
      "worker: kubelet: privileged",
      "worker: proxy: --master",
    ]),
  );
  expect(same.length).toBeGreaterThan(60);
});
