import { expect, test } from "vitest";
import type { ClusterConfig } from "../../src/model/clusterConfig.js";
import type { ObservedHost } from "../../src/model/hostFacts.js";
import type { MasterOptions } from "../../src/model/options.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { container } from "../host/fixtures.js";
import { masterInput, workerInput } from "./fixtures.js";

const kubelet = container("kubelet", { "io.tsdeploy.component": "kubelet" });
const flannel = { network: "flannel" } as const;

/** A host on which this plan was carried out. */
function after(plan: ReturnType<typeof planMaster>, observed: ObservedHost): ObservedHost {
  const files = new Map(filesOf(plan).map(({ path, content, mode }) => [path, { content, mode }]));
  return { ...observed, files, engine: { ...observed.engine, containers: [kubelet] } };
}

function masterWarnings(was: Partial<typeof masterInput.config>, is: Partial<typeof masterInput.config>): string {
  const cluster = { ...masterInput, hasOtherNodes: true, isUp: true };
  const planOf = (config: typeof was, observed = masterInput.observed) =>
    planMaster({ ...cluster, config: { ...masterInput.config, ...config }, observed });
  const { warnings } = planOf(is, after(planOf(was), masterInput.observed));
  return warnings.map(({ message }) => message).join(" ");
}

test("a master that gets flannel in place of bridge says what of its cluster has to follow", () => {
  const said = masterWarnings({}, flannel);
  expect(said).toContain("Pods that run keep their interfaces until they are made anew");
  expect(said).toContain("`tsdeploy worker --master 10.0.0.5` on each worker");
  expect(masterWarnings(flannel, { ...flannel, networkMtu: 1300 })).toContain("The pod network changes");
  expect(masterWarnings(flannel, flannel)).not.toContain("changes");
});

test("a worker that follows says it of its pods", () => {
  const { host } = workerInput.observed;
  const here = { interface: "eth0", address: "10.0.0.6", prefixLength: 24 };
  const before = { ...workerInput.observed, host: { ...host, addresses: [here] } };
  const planOf = (config: object, observed: ObservedHost = before) =>
    planWorker({ ...workerInput, config: { ...workerInput.config, ...config }, observed });
  const { warnings } = planOf(flannel, after(planOf({}), before));
  expect(warnings.map(({ message }) => message)).toEqual([
    "The pod network changes. Pods that run keep their interfaces until they are made anew.",
  ]);
});

test("flanneld's interfaces get another MTU before flanneld takes them as they are, where the image has what does that", () => {
  const commandOf = (image: string, more: Partial<ClusterConfig> = {}) => {
    const { host } = masterInput.observed;
    const imagePrograms = image === "own" ? { ...host.imagePrograms, flanneld: "/usr/bin/flanneld" } : host.imagePrograms;
    const observed = { ...masterInput.observed, host: { ...host, imagePrograms } };
    const config = { ...masterInput.config, ...flannel, networkMtu: 1300, ...more };
    const options: MasterOptions = { ...masterInput.options, ip: ["10.0.0.5", "fd00::5"] };
    const plan = planMaster({ ...masterInput, observed, config, options });
    return containersOf(plan).find(({ component }) => component === "flannel")?.command.join(" ");
  };
  expect(commandOf("own")).toContain("--mtu flannel.1=1300 --file");
  expect(commandOf("own", { podCidr: ["10.244.0.0/16", "fd00:10:244::/56"] })).toContain(
    "--mtu flannel.1=1300 --mtu flannel-v6.1=1300 --file",
  );
  expect(commandOf("flannel's")).toMatch(/^\/opt\/bin\/flanneld /);
});
