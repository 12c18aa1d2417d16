import { afterEach, describe, expect, it, vi } from "vitest";
import { withEngine } from "../../src/deploy/withEngine.js";
import { EngineError } from "../../src/docker/containerEngine.js";
import type { ImageChoice } from "../../src/image/chooseImage.js";
import { ensureImage } from "../../src/image/ensureImage.js";
import { TsdeployError } from "../../src/model/errors.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { RunContext } from "../../src/report/runContext.js";
import { fakeEngine, type FakeEngineInput, fakeImage } from "../docker/fakeEngine.js";

const build = vi.hoisted(() => vi.fn());
vi.mock("../../src/docker/connectEngine.js", () => ({
  connectEngine: () => Promise.resolve({ endpoint: "unix:///fake.sock", close: () => Promise.resolve() }),
}));
vi.mock("../../src/image/buildHyperkube.js", () => ({ buildHyperkube: build }));

afterEach(() => {
  build.mockReset();
});

const version = "v1.36.2";
const reference = `registry.example.com/hyperkube:${version}`;

interface More {
  readonly architecture?: string;
  readonly pullTimeoutMs?: number;
}

function ensure(choice: ImageChoice, input: FakeEngineInput, more: More = {}) {
  const events: ReportEvent[] = [];
  const context: Partial<RunContext> = {
    report: (event) => events.push(event),
    signal: new AbortController().signal,
    env: {},
  };
  const engine = fakeEngine(input);
  const options = { version, architecture: "amd64", registryMirrors: { a: "b" }, pullTimeoutMs: 1000, ...more };
  const ensured = ensureImage(engine, choice, { ...options, context: context as RunContext });
  return { engine, events, ensured };
}

describe("an image that is here", () => {
  it("is not pulled", async () => {
    const image = fakeImage(reference);
    const { engine, events, ensured } = ensure({ how: "present", reference }, { images: [image] });
    expect(await ensured).toBe(image);
    expect(engine.pulls).toEqual([]);
    expect(events).toEqual([]);
  });

  it("for other machines is pulled for this one", async () => {
    const image = fakeImage(reference);
    const foreign = { ...image, architecture: "arm64" };
    const { engine, ensured } = ensure({ how: "pull", reference }, { images: [foreign], registry: { [reference]: image } });
    expect(await ensured).toBe(image);
    expect(engine.pulls).toEqual([reference]);
  });
});

describe("an image that is pulled", () => {
  it("for other machines than the Docker's own is pulled for their platform", async () => {
    const image = fakeImage(reference, { architecture: "arm64" });
    const input = { registry: { [reference]: image } };
    const { engine, ensured } = ensure({ how: "pull", reference }, input, { architecture: "arm64" });
    await ensured;
    expect(engine.pulls).toEqual([`${reference} for linux/arm64`]);
  });

  it.each([
    ["manifest unknown", "IMAGE_NOT_FOUND"],
    ["Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed.", "IMAGE_FORMAT_OLD"],
    ["no matching manifest for linux/amd64 in the manifest list entries", "IMAGE_PLATFORM"],
  ])("and cannot be had (%s) can be built: that is the way out", async (said, code) => {
    const { ensured } = ensure({ how: "pull", reference }, { registry: { [reference]: new EngineError(404, said) } });
    const error = await ensured.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "environment", problems: [{ code }] });
    expect((error as TsdeployError).problems[0]?.hint).toContain(`tsdeploy image build --k8s-version ${version}`);
  });

  it("and cannot be reached can be brought as a file", async () => {
    const said = "dial tcp: lookup registry.example.com: no such host";
    const { ensured } = ensure({ how: "pull", reference }, { registry: { [reference]: new EngineError(500, said) } });
    const error = await ensured.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "unreachable", problems: [{ code: "REGISTRY_UNREACHABLE" }] });
    for (const way of ["image save", "image load", "--binaries"]) {
      expect((error as TsdeployError).problems[0]?.hint).toContain(way);
    }
  });

  it("and was refused for want of a password is not a matter of building", async () => {
    const { ensured } = ensure({ how: "pull", reference }, { registry: { [reference]: new EngineError(500, "no basic auth credentials") } });
    const error = await ensured.catch((thrown: unknown) => thrown);
    expect((error as TsdeployError).problems[0]?.hint).not.toContain("image build");
  });
});

describe("an image that nobody publishes", () => {
  const choice: ImageChoice = { how: "build", reference: `tsdeploy/hyperkube:${version}` };

  it("is built, and that is said", async () => {
    const image = fakeImage(choice.reference);
    const engineImages = { registry: { [choice.reference]: image } };
    build.mockImplementation(async (engine: { pullImage: (name: string, options: object) => Promise<void> }) => {
      // What a build leaves, by the only way in which the fake gets images.
      await engine.pullImage(choice.reference, {});
      return { reference: choice.reference };
    });
    const { events, ensured } = ensure(choice, engineImages);
    expect(await ensured).toBe(image);
    expect(events[0]).toEqual({
      kind: "notice",
      message: `no image of Kubernetes ${version} is published: building one from the projects' release files`,
    });
    const [, request] = build.mock.calls[0] as [unknown, object];
    expect(request).toEqual({ version, arch: "amd64", tag: choice.reference, registryMirrors: { a: "b" } });
  });

  it("can be brought as a file where its parts cannot be downloaded", async () => {
    const cut = new TsdeployError("unreachable", { code: "DOWNLOAD_FAILED", message: "no network", hint: "--mirror." });
    build.mockRejectedValue(cut);
    const error = await ensure(choice, {}).ensured.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ kind: "unreachable", problems: [{ code: "DOWNLOAD_FAILED" }] });
    expect((error as TsdeployError).problems[0]?.hint).toMatch(/^--mirror\.\n.*image save.*image load/);
  });

  it("cannot be built for machines that there are no files for", async () => {
    const { ensured } = ensure(choice, {}, { architecture: "s390x" });
    await expect(ensured).rejects.toMatchObject({ problems: [{ code: "ARCHITECTURE_UNSUPPORTED" }] });
  });

  it("is not waited for longer than the caller said", async () => {
    build.mockImplementation(
      (_engine: unknown, _request: unknown, { signal }: { signal: AbortSignal }) =>
        new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            reject(signal.reason as Error);
          });
        }),
    );
    const { ensured } = ensure(choice, {}, { pullTimeoutMs: 20 });
    await expect(ensured).rejects.toMatchObject({ kind: "failed", problems: [{ code: "BUILD_TIMEOUT" }] });
  });
});

describe("what a daemon says", () => {
  const use = async (error: Error) => {
    const context: Partial<RunContext> = { env: {}, signal: new AbortController().signal };
    return withEngine({ dockerHost: "unix:///fake.sock" }, context as RunContext, () => Promise.reject(error));
  };

  it.each([500, 403])("that it cannot or will not do is no bug: %i", async (status) => {
    await expect(use(new EngineError(status, "plugin says no"))).rejects.toMatchObject({
      kind: "failed",
      problems: [{ code: "DOCKER_FAILED", message: expect.stringContaining("plugin says no") as string }],
    });
  });

  it("of a request that it does not understand is one", async () => {
    await expect(use(new EngineError(400, "bad parameter"))).rejects.toBeInstanceOf(EngineError);
  });
});
