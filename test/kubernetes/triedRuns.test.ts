import { describe, expect, test } from "vitest";
import * as z from "zod";
import { type TriedRun, triedRuns, unknown, triedVersions } from "../../src/kubernetes/triedRuns.js";
import { versionOverview } from "../../src/kubernetes/versionOverview.js";
import { resolveVersion } from "../../src/kubernetes/versions.js";
import { networkBackends } from "../../src/model/podNetwork.js";
import { triedTable, withRun } from "../vm/support/triedTable.js";

const text = z.string().regex(/^[^|\n]+$/);

const schema = z.array(
  z.strictObject({
    date: z.iso.date(),
    version: z.string().regex(/^v1\.\d+\.\d+$/),
    on: z.enum(["virtual machines", "one virtual machine", "test machines"]),
    system: text,
    arch: z.enum(["amd64", "arm64"]),
    kernel: text,
    docker: text,
    cgroups: z.string().regex(/^v[12], (systemd|cgroupfs)$/),
    network: z.enum([unknown, "bridge", "bridge, dual stack", ...networkBackends.map((backend) => `flannel ${backend}`)]),
    proxyMode: z.enum(["iptables", "ipvs", "nftables"]),
    dns: text,
  }),
);

describe("what was tried", () => {
  test("is noted whole", () => {
    expect(schema.parse(triedRuns)).toEqual(triedRuns);
  });

  test("has one line for each combination", () => {
    for (const run of triedRuns) expect(withRun(triedRuns, run)).toHaveLength(triedRuns.length);
  });

  test("are versions that are supported", () => {
    for (const version of triedVersions) expect(resolveVersion(version)).toBe(version);
  });

  test("is what `tsdeploy versions` says", () => {
    const said = versionOverview().minors.flatMap(({ tried }) => tried);
    expect(said.sort()).toEqual([...triedVersions].sort());
    expect(said).toContain("v1.20.2");
  });

  test("is what docs/tried.md says (else: npm run docs)", async () => {
    await expect(triedTable(triedRuns)).toMatchFileSnapshot("../../docs/tried.md");
  });

  test("a newer run of the same takes the older one's place, any other is added", () => {
    const [run] = triedRuns as [TriedRun];
    const again = { ...run, date: "2031-01-01" };
    expect(withRun([run], again)).toEqual([again]);
    expect(withRun([run], { ...again, proxyMode: "ipvs" })).toHaveLength(2);
  });
});
