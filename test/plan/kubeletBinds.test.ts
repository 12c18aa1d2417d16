import { expect, test } from "vitest";
import type { Bind } from "../../src/model/containerSpec.js";
import type { HostFacts } from "../../src/model/hostFacts.js";
import { containersOf } from "../../src/plan/diff.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { masterInputOf, observed } from "./fixtures.js";

/** What the kubelet of a host sees of it at that place. */
function bindOf(target: string, host: Partial<HostFacts>): Bind | undefined {
  const plan = planMaster(masterInputOf({ version: "v1.36.2", observed: { ...observed, host: { ...observed.host, ...host } } }));
  return containersOf(plan)
    .find(({ component }) => component === "kubelet")
    ?.binds.find((bind) => bind.target === target);
}

test("what is mounted later where users keep their data reaches the kubelet, but for a mount that Docker refuses to pass on", () => {
  expect(bindOf("/mnt", {})).toEqual({ source: "/mnt", target: "/mnt", propagation: "rslave" });
  expect(bindOf("/mnt", { privateFolders: ["/srv"] })?.propagation).toBe("rslave");
  expect(bindOf("/mnt", { privateFolders: ["/mnt"] })).toEqual({ source: "/mnt", target: "/mnt" });
});

test("the host says what it is, where it has files that do; Docker would make a folder of another", () => {
  const identityFiles = ["/etc/os-release"];
  const bind = { source: "/etc/os-release", target: "/etc/os-release", readOnly: true };
  expect(bindOf("/etc/os-release", { identityFiles })).toEqual(bind);
  expect(bindOf("/etc/machine-id", { identityFiles })).toBeUndefined();
});
