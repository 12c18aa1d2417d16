import { describe, expect, it } from "vitest";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { machine1, machine3 } from "./support/machine.js";
import { ownersRules } from "./support/owner.js";
import { apply, kubectl, tryTsdeploy, tsdeploy } from "./support/operator.js";
import {
  clusterIp,
  everythingIsBack,
  nodesReady,
  routePods,
  serviceReachesAll,
  unroutePods,
  workload,
} from "./support/workload.js";

const both = [machine3, machine1];

async function kernelHasIpvs(): Promise<boolean> {
  return (await machine3.trySh("[ -e /proc/net/ip_vs ] || modprobe ip_vs")).exitCode === 0;
}

describe("the newest Docker on the master, the oldest on its worker", () => {
  it("take kube-proxy's IPVS mode if the kernel has it, and refuse it with that reason if not", async () => {
    const result = await tryTsdeploy(["master", "--proxy-mode", "ipvs", "--dry-run"], { machine: machine3 });
    if (await kernelHasIpvs()) {
      expect(result.exitCode).toBe(0);
    } else {
      expect(result.stderr).toContain("ip_vs");
      expect(result.exitCode).toBe(3);
    }
    expect(differences(savedFootprint(machine3), await footprint(machine3))).toEqual([]);
  });

  it("come up by two commands", async () => {
    const proxyMode = (await kernelHasIpvs()) ? ["--proxy-mode", "ipvs"] : [];
    await tsdeploy(["master", ...proxyMode], { machine: machine3 });
    await tsdeploy(["worker", "--master", machine3.address], { machine: machine1 });
    await nodesReady(both);
  });

  it("carry Services", async () => {
    await routePods();
    await apply(...workload);
    await serviceReachesAll(both);
    if (await kernelHasIpvs()) {
      const address = (await clusterIp()).split(".").map((byte) => Number(byte).toString(16).padStart(2, "0"));
      for (const machine of both) {
        expect((await machine.sh("cat /proc/net/ip_vs")).toLowerCase()).toContain(address.join(""));
      }
    }
  });

  it.each([
    ["a restart of the master's dockerd", () => machine3.restartDocker()],
    ["a reboot of the master", () => machine3.reboot().then(() => machine3.sh(ownersRules))],
  ])("are back after %s", async (_, happens) => {
    await happens();
    await everythingIsBack(both);
  });

  it("leave nothing behind", async () => {
    // With nothing to drain.
    await kubectl(["delete", "deployment", "web"]);
    await tsdeploy(["teardown", "--yes"], { machine: machine1 });
    await tsdeploy(["teardown", "--yes", "--purge"], { machine: machine3 });
    await unroutePods();
    for (const machine of both) {
      expect(differences(savedFootprint(machine), await footprint(machine)), machine.name).toEqual([]);
    }
  });
});
