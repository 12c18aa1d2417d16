import { describe, expect, it } from "vitest";
import { versionByImage } from "../../src/image/versionByImage.js";
import type { RunContext } from "../../src/report/runContext.js";
import { fakeEngine, fakeImage, hyperkubeLabels } from "../docker/fakeEngine.js";

const context = { report: () => undefined, signal: new AbortController().signal } as Partial<RunContext> as RunContext;
const mine = fakeImage("mine:latest", { labels: hyperkubeLabels("v1.30.4") });

interface Requested {
  readonly image?: string;
  readonly k8sVersion?: string;
  readonly dryRun?: boolean;
  readonly given?: readonly string[];
}

async function version({ given = ["image"], dryRun = false, ...requested }: Requested, engine = fakeEngine({ images: [mine] })) {
  const options = { ...requested, dryRun, registryMirrors: {}, pullTimeoutMs: 1000, given: new Set(given) };
  const { k8sVersion, given: said } = await versionByImage(engine, options, context);
  return { k8sVersion, isGiven: said.has("k8sVersion") };
}

describe("who names an image", () => {
  it("need not say its version as well", async () => {
    expect(await version({ image: "mine:latest" })).toEqual({ k8sVersion: "v1.30.4", isGiven: true });
    expect(await version({ image: "other:v1.29.3" })).toEqual({ k8sVersion: "v1.29.3", isGiven: true });
  });

  it("may have it pulled for that, but not in a dry run", async () => {
    const engine = fakeEngine({ registry: { "mine:latest": mine } });
    expect(await version({ image: "mine:latest", dryRun: true }, engine)).toEqual({ isGiven: false });
    expect(engine.pulls).toEqual([]);
    expect(await version({ image: "mine:latest" }, engine)).toEqual({ k8sVersion: "v1.30.4", isGiven: true });
  });

  it("may say another, which is then for the checks", async () => {
    expect(await version({ image: "mine:latest", k8sVersion: "v1.31.0", given: ["image", "k8sVersion"] })).toEqual({
      k8sVersion: "v1.31.0",
      isGiven: true,
    });
  });

  it("in an earlier run does not say anything about this one", async () => {
    expect(await version({ image: "mine:latest", given: [] })).toEqual({ isGiven: false });
    expect(await version({})).toEqual({ isGiven: false });
  });
});
