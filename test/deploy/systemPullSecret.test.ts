import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ApiError } from "../../src/api/apiFault.js";
import type { KubernetesClient } from "../../src/api/kubernetesClient.js";
import { systemPullSecret } from "../../src/deploy/systemPullSecret.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { AddonName } from "../../src/model/addonNames.js";
import type { RunContext } from "../../src/report/runContext.js";
import { clusterConfig } from "../kubernetes/clusterConfig.js";
import { observed } from "../plan/fixtures.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "docker-config-"));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

interface Asked {
  readonly addons?: readonly AddonName[];
  readonly registry?: string | undefined;
  readonly auths?: Record<string, object>;
  /** What the credential helper for all registries does, in place of `auths`. */
  readonly helper?: string;
  readonly timeoutMs?: number;
  /** What the API server says of the Secret; undefined: there is no cluster yet. */
  readonly answer?: object | Error;
}

async function decide({ addons = ["metrics-server"], registry = "lab:5000/k8s", auths = {}, ...asks }: Asked) {
  const { answer, helper, timeoutMs = 60_000 } = asks;
  await writeFile(join(folder, "config.json"), JSON.stringify({ auths, ...(helper && { credsStore: "all" }) }));
  await writeFile(join(folder, "docker-credential-all"), `#!/bin/sh\n${helper ?? ""}\n`, { mode: 0o755 });
  const env = { DOCKER_CONFIG: folder, PATH: `${folder}:${process.env["PATH"] ?? ""}` };
  const said: string[] = [];
  const signal = new AbortController().signal;
  const report = (event: object): void => void said.push(JSON.stringify(event));
  const context = { env, report, signal } as unknown as RunContext;
  const asked: string[] = [];
  const api = {
    get: async (path: string) => {
      asked.push(path);
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    },
  } as unknown as KubernetesClient;
  const config = { ...clusterConfig, version: "v1.36.2", addons, registry };
  const settled = { config, features: featuresOf("v1.36.2"), options: { registry, registryMirrors: {}, timeoutMs } };
  const decided = await systemPullSecret(settled, observed, answer === undefined ? undefined : api, context);
  return { ...decided, asked, said: said.join() };
}

const lab = { "lab:5000": { auth: Buffer.from("me:s-e-c-r-e-t").toString("base64") } };

describe("the Secret by which add-ons are pulled", () => {
  it("is made of the operator's credentials, if an add-on comes from there", async () => {
    const { objects, isThere, said } = await decide({ auths: lab });
    expect([objects.map(({ metadata }) => metadata.name), isThere]).toEqual([["tsdeploy-registry"], true]);
    expect(said).toBe("");
    expect(await decide({ auths: lab, addons: [] })).toMatchObject({ objects: [], isThere: false });
  });

  it("is not missed where anybody may pull", async () => {
    const notFound = new ApiError(404, "NotFound", "no such Secret");
    expect(await decide({})).toMatchObject({ objects: [], isThere: false });
    expect(await decide({ answer: notFound })).toMatchObject({ objects: [], isThere: false });
  });

  it("stays for pods if another operator has made it, or if nobody can tell", async () => {
    expect(await decide({ answer: {} })).toMatchObject({
      objects: [],
      isThere: true,
      asked: ["/api/v1/namespaces/kube-system/secrets/tsdeploy-registry"],
    });
    expect(await decide({ answer: new Error("the API server is away") })).toMatchObject({ isThere: true });
    expect(await decide({ answer: {}, registry: "registry.k8s.io", addons: [] })).toMatchObject({ asked: [] });
  });

  it("is not waited for without end where a credential helper hangs, which a warning tells", async () => {
    const { objects, said } = await decide({ helper: "exec sleep 20", timeoutMs: 300 });
    expect(objects).toEqual([]);
    expect(said).toMatch(/from lab:5000 without credentials: docker-credential-all: .* due to timeout/);
  }, 10_000);

  it("cannot be made of a token, which is told without it", async () => {
    const { objects, said } = await decide({ auths: { "lab:5000": { identitytoken: "s-e-c-r-e-t" } } });
    expect(objects).toEqual([]);
    expect(said).toContain("lab:5000");
    expect(said).not.toContain("s-e-c-r-e-t");
  });
});
