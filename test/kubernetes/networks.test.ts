import { expect, test } from "vitest";
import { addressAt, firstNodeCidrs, nodeCidrMaskSize } from "../../src/kubernetes/networks.js";

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
  expect(nodeCidrMaskSize(podCidr)).toBe(maskSize);
  expect(firstNodeCidrs([podCidr])).toEqual([first]);
});
