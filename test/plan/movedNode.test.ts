import { describe, expect, test } from "vitest";
import { acceptedOptionsFile, acceptedWorkerFile } from "../../src/config/acceptedOptions.js";
import { settle } from "../../src/deploy/settleMaster.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { HostFacts, ObservedHost } from "../../src/model/hostFacts.js";
import type { HostFile } from "../../src/model/hostFile.js";
import type { MasterOptions } from "../../src/model/options.js";
import { containersOf } from "../../src/plan/diff.js";
import { followMove } from "../../src/plan/movedNode.js";
import { refuseNodeChanges } from "../../src/plan/nodeChanges.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { runPreflight } from "../../src/preflight/runPreflight.js";
import { masterInput, masterOptions, observed, workerInput, workerOptions } from "./fixtures.js";

const newest = featuresOf("v1.36.2");
const oldest = featuresOf("v1.3.6");
const two = { interface: "eth1", address: "192.168.0.5", prefixLength: 24 };
const after = { interface: "eth0", address: "10.0.0.77", prefixLength: 24 };

const withFile = ({ path, content, mode }: HostFile): ObservedHost["files"] => new Map([[path, { content, mode }]]);

/** A worker that was 10.0.0.6 on eth0, on a host that is this by now. */
function moved(host: Partial<HostFacts>, accepted: { readonly ipInterface?: string; readonly nodeName?: string } = {}) {
  const file = acceptedWorkerFile({ ...workerOptions, ip: ["10.0.0.6"], nodeName: "one", ipInterface: "eth0", ...accepted });
  return { host: { ...observed.host, ...host }, files: withFile(file) };
}

const follow = (on: ReturnType<typeof moved>, given: Partial<typeof workerOptions> = {}, features = newest) =>
  followMove({ ...workerOptions, ip: ["10.0.0.6"], nodeName: "one", ...given, given: new Set(Object.keys(given)) }, on, features);

describe("the address of a node", () => {
  test("stays, though the host has others, and a default route by one of them", () => {
    const still = { interface: "eth0", address: "10.0.0.6", prefixLength: 24 };
    expect(follow(moved({ addresses: [two, after, still], defaultAddress: two.address })).ip).toEqual(["10.0.0.6"]);
  });

  test("is what its interface has now, wherever the default route is", () => {
    expect(follow(moved({ addresses: [two, after], defaultAddress: two.address })).ip).toEqual(["10.0.0.77"]);
  });

  test("is not guessed where there are several, or none: the old one is refused, with the choice", () => {
    const other = { ...after, address: "10.9.0.1" };
    for (const addresses of [[after, other], [two]]) {
      const on = moved({ addresses, defaultAddress: addresses[0]?.address ?? "" });
      expect(follow(on).ip).toEqual(["10.0.0.6"]);
      const { errors } = runPreflight("host", { ...observed, ...on }, { role: "worker", ip: ["10.0.0.6"] });
      expect(errors).toMatchObject([{ code: "NOT_AN_ADDRESS", hint: "Choose one of them with --ip." }]);
    }
  });

  test("is the one that was given in this run", () => {
    expect(follow(moved({ addresses: [two, after] }), { ip: [two.address] }).ip).toEqual([two.address]);
  });

  test("takes the name along where kubelets are dialled by it, and nowhere else", () => {
    const on = moved({ addresses: [after] }, { nodeName: "10.0.0.6" });
    expect(follow(on, {}, oldest).nodeName).toBe("10.0.0.77");
    expect(follow(on, {}, newest).nodeName).toBe("one");
    expect(follow(moved({ addresses: [after] }), {}, oldest).nodeName).toBe("one");
  });
});

test("a kubelet that is named by its address is not renamed while it runs", () => {
  const features = oldest;
  const plan = (ip: string) =>
    planWorker({
      ...workerInput,
      config: { ...workerInput.config, version: features.version },
      options: { ...workerOptions, ip: [ip], nodeName: ip },
    });
  const running = { containers: containersOf(plan("10.0.0.6")), files: new Map() };
  expect(() => {
    refuseNodeChanges(plan("10.0.0.77"), running);
  }).toThrow(/NODE_NAME_CHANGED/);
});

test("a worker's run says that the address has changed, and its programs get the new one", () => {
  const config = { ...workerInput.config, network: "flannel" } as const;
  const { host, files } = moved({ addresses: [after], defaultAddress: after.address });
  const plan = planWorker({
    ...workerInput,
    config,
    observed: { ...workerInput.observed, host, files },
    options: { ...workerOptions, ip: ["10.0.0.77"], nodeName: "one" },
  });
  expect(plan.warnings.map(({ message }) => message)).toContain("The address of this node was 10.0.0.6 and is 10.0.0.77 now.");
  const commands = containersOf(plan).flatMap(({ command }) => command);
  expect(commands).toEqual(expect.arrayContaining(["--node-ip=10.0.0.77", "--public-ip=10.0.0.77"]));
  expect(commands.join()).not.toContain("10.0.0.6,");
});

describe("a master with another address", () => {
  const was = { k8sVersion: "v1.20.2", ip: ["10.0.0.6"], nodeName: "one", ipInterface: "eth0" } as const;
  const ownFile = acceptedOptionsFile({ ...masterOptions, ...was });
  const facts = { ...observed.host, addresses: [after], etcdData: true };
  const host: ObservedHost = { ...observed, files: withFile(ownFile), host: facts };

  test("has it in all that the cluster says of its API server", () => {
    const { config, nodeIp } = settle(masterOptions, host, "image");
    expect([config.apiserver, nodeIp]).toEqual(["https://10.0.0.77:6443", "10.0.0.77"]);
  });

  test.each([
    ["with workers", true, true],
    ["that knows not of whom", false, false],
    ["alone", true, false],
  ])("%s says what is to be done", (_, isUp, hasOtherNodes) => {
    const options: MasterOptions = { ...masterOptions, ip: ["10.0.0.77"], nodeName: "one" };
    const plan = planMaster({ ...masterInput, options, observed: host, isUp, hasOtherNodes });
    const [warning = ""] = plan.warnings.map(({ message }) => message);
    expect(warning).toContain("was 10.0.0.6 and is 10.0.0.77 now");
    expect(warning.includes("`tsdeploy worker --master 10.0.0.77` on each worker")).toBe(!isUp || hasOtherNodes);
  });

  test("routes to its own pods lead to where it is now, the others' to where they are", () => {
    const options: MasterOptions = { ...masterOptions, ip: ["10.0.0.77"], nodeName: "one" };
    const podsOfNodes = [
      { node: "one", podCidr: "10.244.0.0/24", address: "10.0.0.6" },
      { node: "two", podCidr: "10.244.1.0/24", address: "10.0.0.8" },
    ];
    const { warnings } = planMaster({ ...masterInput, options, observed: host, podsOfNodes });
    const text = warnings.map(({ message }) => message).join();
    expect(text).toContain("ip route add 10.244.0.0/24 via 10.0.0.77");
    expect(text).toContain("ip route add 10.244.1.0/24 via 10.0.0.8");
  });
});
