import { describe, expect, it } from "vitest";
import { hostBeforeFile, parseHostBefore } from "../../src/host/hostBefore.js";
import { paths } from "../../src/model/hostLayout.js";
import { hostFacts } from "./fixtures.js";

describe("hostBefore", () => {
  it("records what teardown puts back, and reads it again", () => {
    const file = hostBeforeFile(hostFacts, new Map([["/etc/kubernetes/pki/ca.crt", { mode: 0o644, content: "" }]]));
    expect(file?.path).toBe(paths.hostBefore);
    expect(parseHostBefore(file?.content)).toEqual({
      sysctls: hostFacts.sysctls,
      paths: hostFacts.existingPaths,
      cniConfigurations: hostFacts.cniConfigurations,
      iptables: hostFacts.iptables,
      kubeProxy: hostFacts.kubeProxy,
      links: hostFacts.links,
      // The network that the host is in has no gateway: nobody would take it for another node's pods.
      routes: ["route 0.0.0.0/0 via 10.0.0.1 dev eth0", "route ::/0 via fe80::1 dev eth0"],
      files: ["/etc/kubernetes/pki/ca.crt"],
      entries: hostFacts.entries,
    });
  });

  it("never replaces the record of an earlier run: by then the host has changed", () => {
    expect(hostBeforeFile(hostFacts, new Map([[paths.hostBefore, { mode: 0o644, content: "" }]]))).toBeUndefined();
  });

  it("is without knowledge if the record is missing or broken", () => {
    expect(parseHostBefore(undefined)).toBeUndefined();
    expect(parseHostBefore("{")).toBeUndefined();
    expect(parseHostBefore("{}")).toBeUndefined();
  });
});
