import { expect, test } from "vitest";
import { addressAt, firstNodeCidrs, maskSizeProblems, nodeCidrMaskFlags, usualMaskSize } from "../../src/kubernetes/networks.js";

test.each([
  ["10.96.0.0/12", 1, "10.96.0.1"],
  ["10.96.0.0/12", 10, "10.96.0.10"],
  ["10.0.0.1/24", 10, "10.0.0.10"],
  ["10.0.0.0/16", 300, "10.0.1.44"],
  ["203.0.113.128/28", 10, "203.0.113.138"],
  ["fd00:10:96::/112", 10, "fd00:10:96::a"],
  ["fd00:10:96::fff0/108", 65_552, "fd00:10:96::1:10"],
])("in %s the address %i is %s", (cidr, index, address) => {
  expect(addressAt(cidr, index)).toBe(address);
});

test.each([
  ["10.244.0.0/16", 24, "10.244.0.0/24"],
  ["10.244.7.9/16", 24, "10.244.0.0/24"],
  ["10.1.0.0/22", 24, "10.1.0.0/24"],
  ["10.1.2.0/24", 28, "10.1.2.0/28"],
  ["8.0.0.0/5", 21, "8.0.0.0/21"],
  ["fd00:10:244::/56", 64, "fd00:10:244::/64"],
  ["fd00:10::/32", 48, "fd00:10::/48"],
  ["fd00::/64", 68, "fd00::/68"],
  ["fd00::/120", 124, "fd00::/124"],
])("of %s each node gets a /%i, the first %s", (podCidr, maskSize, first) => {
  expect(usualMaskSize(podCidr)).toBe(maskSize);
  expect(firstNodeCidrs({ podCidr: [podCidr] })).toEqual([first]);
});

const dual = ["10.244.0.0/16", "fd00:10:244::/56"] as const;

test("nodes' parts are as large as the owner wants them", () => {
  const single = { podCidr: ["10.244.0.0/16"], nodeCidrMaskSize: [26] } as const;
  expect(nodeCidrMaskFlags(single)).toEqual(["--node-cidr-mask-size=26"]);
  expect(firstNodeCidrs(single)).toEqual(["10.244.0.0/26"]);
  const both = { podCidr: dual, nodeCidrMaskSize: [25, 72] };
  expect(nodeCidrMaskFlags(both)).toEqual(["--node-cidr-mask-size-ipv4=25", "--node-cidr-mask-size-ipv6=72"]);
  expect(firstNodeCidrs(both)).toEqual(["10.244.0.0/25", "fd00:10:244::/72"]);
  // That of IPv6 may be left out.
  expect(firstNodeCidrs({ podCidr: dual, nodeCidrMaskSize: [25] })).toEqual(["10.244.0.0/25", "fd00:10:244::/64"]);
});

test.each<[readonly [string, ...string[]], number[], string[]]>([
  [["10.244.0.0/16"], [24], []],
  [["10.244.0.0/16"], [16], []],
  [["10.244.0.0/16"], [30], []],
  [["10.244.0.0/16"], [15], ["a number from 16 to 30"]],
  [["10.244.0.0/16"], [31], ["a number from 16 to 30"]],
  [["10.0.0.0/8"], [25], ["a number from 8 to 24"]],
  [["10.244.0.0/16"], [24, 64], ["24 alone"]],
  [dual, [24, 72], []],
  [dual, [15, 73], ["a number from 16 to 30", "a number from 56 to 72"]],
])("of %s parts of /%s: %s", (podCidr, nodeCidrMaskSize, hints) => {
  expect(maskSizeProblems({ podCidr, nodeCidrMaskSize }).map(({ hint }) => hint)).toEqual(hints.map((hint) => `Write ${hint}.`));
});
