import { expect, test } from "vitest";
import { planMaster, type MasterPlanInput } from "../../src/plan/planMaster.js";
import { masterInputOf } from "./fixtures.js";

function said(more: Partial<MasterPlanInput>, network: "bridge" | "flannel" = "bridge"): string {
  const input = masterInputOf({ version: "v1.20.2", config: { network } });
  return planMaster({ ...input, ...more }).warnings.map(({ message }) => message).join("\n");
}

const { observed } = masterInputOf({ version: "v1.20.2" });
const withData = { ...observed, host: { ...observed.host, etcdData: true } };
const podsOfNodes = [
  { node: "machine-1", podCidr: "10.244.0.0/24", address: "10.0.0.5" },
  { node: "machine-2", podCidr: "10.244.7.0/24", address: "10.0.0.6" },
];

test("the plan of a new master on a bridge names the route to its own pods, and what decides the others", () => {
  const text = said({});
  expect(text).toContain("`ip route add 10.244.0.0/24 via 10.0.0.5`");
  expect(text).toContain("A node that joins gets a free /24 of 10.244.0.0/16");
});

test("that of a cluster that runs names the routes to all of its nodes", () => {
  const text = said({ observed: withData, podsOfNodes });
  expect(text).toContain("`ip route add 10.244.0.0/24 via 10.0.0.5`, `ip route add 10.244.7.0/24 via 10.0.0.6`");
});

test("that of a cluster whose data alone is there names none: another node may have the first part", () => {
  const text = said({ observed: withData });
  expect(text).not.toContain("ip route add");
  expect(text).toContain("Each node gets a free /24 of 10.244.0.0/16");
});

test("flannel needs no routes of anybody", () => {
  expect(said({ podsOfNodes }, "flannel")).not.toContain("route");
});

test("with two address families both have routes, each by the address of its family", () => {
  const podCidr = ["10.244.0.0/16", "fd00:10:244::/56"] as const;
  const input = masterInputOf({ version: "v1.20.2", config: { network: "bridge", podCidr } });
  const text = planMaster(input).warnings.map(({ message }) => message).join("\n");
  expect(text).toContain(
    "`ip route add 10.244.0.0/24 via 10.0.0.5`, `ip route add fd00:10:244::/64 via 2001:db8::5`",
  );
  expect(text).toContain("a free /24 of 10.244.0.0/16 and a free /64 of fd00:10:244::/56");
});
