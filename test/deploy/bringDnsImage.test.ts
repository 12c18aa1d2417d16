import { expect, test } from "vitest";
import { bringDnsImage, type DnsImageWish } from "../../src/deploy/bringDnsImage.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { RunContext } from "../../src/report/runContext.js";
import { fakeEngine, type FakeEngineInput, fakeImage } from "../docker/fakeEngine.js";
import { clusterConfig } from "../kubernetes/clusterConfig.js";

const reference = "lab:5000/k8s/hyperkube:v1.20.2";
const registry = { [reference]: fakeImage(reference) };

/** What is pulled, and warned of, for a worker that runs from `image`. */
async function bring(more: Partial<DnsImageWish>, dnsFromImage: boolean, docker: FakeEngineInput = { registry }) {
  const engine = fakeEngine(docker);
  const warnings: string[] = [];
  const report = (event: ReportEvent): void => {
    if (event.kind === "warning") warnings.push(event.message);
  };
  const context = { report, signal: new AbortController().signal, env: {} } as unknown as RunContext;
  const config = { ...clusterConfig, version: "v1.20.2", image: reference, dnsFromImage };
  const options = { nodeTaints: [], registryMirrors: {}, pullTimeoutMs: 50 };
  await bringDnsImage(engine, { config, image: "mine:1", architecture: "amd64", options, ...more }, context);
  return { pulls: engine.pulls, warnings };
}

test("a worker with another image gets the one that CoreDNS's pods name", async () => {
  expect(await bring({}, true)).toEqual({ pulls: [reference], warnings: [] });
});

test.each([
  ["runs from that image itself", { image: reference }, true, undefined],
  ["has it already", {}, true, { images: [fakeImage(reference)], registry }],
  ["is of a cluster whose CoreDNS runs from another", {}, false, undefined],
  [
    "has a taint that keeps CoreDNS away",
    { options: { nodeTaints: [{ key: "db", effect: "NoSchedule" }], registryMirrors: {}, pullTimeoutMs: 50 } },
    true,
    undefined,
  ],
] as const)("but not one that %s", async (_, more, dnsFromImage, docker) => {
  expect((await bring(more, dnsFromImage, docker)).pulls).toEqual([]);
});

test("without it a worker is one all the same, and its owner is told", async () => {
  const missing = new TsdeployError("environment", { code: "IMAGE_NOT_FOUND", message: "the registry has none", hint: "Look." });
  const { warnings } = await bring({}, true, { registry: { [reference]: missing } });
  expect(warnings.at(-1)).toContain(`its pods run from ${reference}`);
  expect(warnings.at(-1)).toContain("image copy");
});
