import { expect, test } from "vitest";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { defined } from "../../src/model/defined.js";
import { bridgeNetworkFile } from "../../src/network/bridgeNetwork.js";

function network(version: string, ...[first, ...others]: string[]): { path: string; content: unknown } {
  const podCidrs = first === undefined ? undefined : ([first, ...others] as const);
  const { path, content } = bridgeNetworkFile(featuresOf(version), defined({ podCidrs }));
  return { path, content: JSON.parse(content) as unknown };
}

test.each(["v1.12.10", "v1.20.2", "v1.36.2"])("in %s the runtime fills in the pod CIDR: the file has none", (version) => {
  const { path, content } = network(version);
  expect(path).toBe("/etc/cni/net.d/10-tsdeploy.conflist");
  expect(content).toMatchObject({ plugins: [{ type: "bridge", capabilities: { ipRanges: true } }, { type: "portmap" }] });
  expect(JSON.stringify(content)).not.toContain("subnet");
});

test("in v1.7 to v1.11 the file names the subnet", () => {
  const { path, content } = network("v1.11.10", "10.244.3.0/24");
  expect(path).toBe("/etc/cni/net.d/10-tsdeploy.conflist");
  expect(content).toMatchObject({ plugins: [{ ipam: { type: "host-local", subnet: "10.244.3.0/24" } }, { type: "portmap" }] });
  expect(JSON.stringify(content)).not.toContain("ipRanges");
});

test.each(["v1.3.6", "v1.6.13"])("%s reads one plugin's file, of the specification that it knows", (version) => {
  const { path, content } = network(version, "10.244.3.0/24");
  expect(path).toBe("/etc/cni/net.d/10-tsdeploy.conf");
  expect(content).toMatchObject({ cniVersion: "0.2.0", name: "tsdeploy", type: "bridge", ipam: { subnet: "10.244.3.0/24" } });
});

test("a file that would have to name a subnet is not made without one", () => {
  expect(() => bridgeNetworkFile(featuresOf("v1.11.10"), {})).toThrow("pod CIDR");
});

test.each(["v1.20.2", "v1.36.2"])("in %s two subnets are named: runtimes fill in two as if they were one", (version) => {
  const { content } = network(version, "10.244.3.0/24", "fd00:10:244:3::/64");
  const ipam = {
    ranges: [[{ subnet: "10.244.3.0/24" }], [{ subnet: "fd00:10:244:3::/64" }]],
    routes: [{ dst: "0.0.0.0/0" }, { dst: "::/0" }],
  };
  expect(content).toMatchObject({ plugins: [{ type: "bridge", ipam }, { type: "portmap" }] });
  expect(JSON.stringify(content)).not.toContain("ipRanges");
});
