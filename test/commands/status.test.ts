import { expect, test } from "vitest";
import { addressOf } from "../../src/commands/status.js";
import { acceptedWorkerFile } from "../../src/config/acceptedOptions.js";
import type { InterfaceAddress } from "../../src/model/hostFacts.js";
import { workerOptions } from "../plan/fixtures.js";

const file = acceptedWorkerFile({ ...workerOptions, ip: ["10.0.0.6"], nodeName: "one", ipInterface: "eth0" });
const files = new Map([[file.path, file]]);
const on = (name: string, address: string): InterfaceAddress => ({ interface: name, address, prefixLength: 24 });

test("an address that the host has no more is told, with what its interface has instead", () => {
  const now = [on("docker0", "172.17.0.1"), on("eth0", "10.0.0.77"), on("eth1", "10.1.0.1")];
  expect(addressOf(files, now)).toEqual({ node: "10.0.0.6", isThere: false, host: ["10.0.0.77"] });
  expect(addressOf(files, [on("eth1", "10.0.0.6")])).toMatchObject({ isThere: true });
  expect(addressOf(new Map(), now)).toBeUndefined();
  expect(addressOf(files, [])).toBeUndefined();
});
