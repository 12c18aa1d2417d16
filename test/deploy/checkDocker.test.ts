import { beforeEach, describe, expect, it, vi } from "vitest";
import { checkDocker } from "../../src/deploy/checkDocker.js";
import type { EngineInfo } from "../../src/model/dockerObjects.js";
import type { TsdeployError } from "../../src/model/errors.js";
import type { HostFacts } from "../../src/model/hostFacts.js";
import type { ReportEvent } from "../../src/report/events.js";
import type { RunContext } from "../../src/report/runContext.js";
import { fakeEngine, fakeImage } from "../docker/fakeEngine.js";
import { container, engineFacts, hostFacts } from "../host/fixtures.js";

const openHelper = vi.hoisted(() => vi.fn());
vi.mock("../../src/host/helperSession.js", () => ({ openHelper }));

const reference = "tsdeploy/hyperkube:v1.20.2";
const kubelet = { "io.tsdeploy.component": "kubelet", "io.tsdeploy.cluster": "other", "io.tsdeploy.role": "worker" };

interface Docker {
  readonly info?: Partial<EngineInfo>;
  readonly containers?: typeof engineFacts.containers;
  readonly host?: Partial<HostFacts>;
  /** Of the image, if it is here. */
  readonly architecture?: string | undefined;
}

function check({ info = {}, containers = [], host = {}, ...image }: Docker) {
  const architecture = "architecture" in image ? image.architecture : "amd64";
  const close = vi.fn(() => Promise.resolve());
  const events: ReportEvent[] = [];
  openHelper.mockResolvedValue({
    look: () => Promise.resolve({ host: { ...hostFacts, ...host }, files: new Map() }),
    close,
  });
  const engine = {
    ...fakeEngine({ images: architecture === undefined ? [] : [fakeImage(reference, { architecture })] }),
    version: () => Promise.resolve(engineFacts.version),
    info: () => Promise.resolve(engineFacts.info),
    listContainers: () => Promise.resolve([...containers]),
  };
  const context: Partial<RunContext> = {
    report: (event) => events.push(event),
    signal: new AbortController().signal,
  };
  const checked = checkDocker({
    engine,
    engineFacts: { ...engineFacts, containers, info: { ...engineFacts.info, ...info } },
    wanted: { role: "master", clusterName: "kubernetes", version: "v1.20.2" },
    context: context as RunContext,
    image: () => Promise.resolve(architecture === undefined ? undefined : reference),
  });
  const codes = checked.then(
    () => [],
    (error: unknown) => (error as TsdeployError).problems.map(({ code }) => code),
  );
  return { codes, close, events };
}

beforeEach(() => {
  openHelper.mockReset();
});

describe("a Docker that will not do", () => {
  it("is told of together with all that its host shows", async () => {
    const host = { swapBytes: 1, propagation: "private", cpus: 1 } as const;
    const { codes, close, events } = check({ info: { loggingDriver: "journald" }, host });
    expect(await codes).toEqual(["LOG_DRIVER", "MOUNT_PROPAGATION", "SWAP_ON"]);
    expect(events).toMatchObject([{ kind: "warning" }]);
    expect(close).toHaveBeenCalledOnce();
    // Without the lock of a run that changes something.
    const withoutLock = { report: expect.any(Function) as unknown };
    expect(openHelper).toHaveBeenCalledExactlyOnceWith(expect.anything(), reference, withoutLock);
  });

  it("is told of alone where there is no image to look with, or one of another architecture", async () => {
    expect(await check({ info: { loggingDriver: "journald" }, architecture: undefined }).codes).toEqual(["LOG_DRIVER"]);
    const { codes } = check({ info: { loggingDriver: "journald" }, architecture: "arm64" });
    expect(await codes).toEqual(["LOG_DRIVER", "IMAGE_ARCHITECTURE"]);
    expect(openHelper).not.toHaveBeenCalled();
  });

  it.each<[string, Docker]>([
    ["DOCKER_ROOTLESS", { info: { securityOptions: ["name=rootless"] } }],
    ["OTHER_CLUSTER,OTHER_ROLE", { containers: [container("kubelet", kubelet)] }],
  ])("is told of alone where its host is no node, or somebody else's: %s", async (expected, docker) => {
    const { codes } = check({ ...docker, host: { swapBytes: 1 } });
    expect((await codes).join()).toBe(expected);
    expect(openHelper).not.toHaveBeenCalled();
  });

  it("is told of although no helper runs there", async () => {
    const { codes } = check({ info: { securityOptions: ["name=userns"] } });
    openHelper.mockRejectedValue(new Error("privileged mode is incompatible with user namespaces"));
    expect(await codes).toEqual(["DOCKER_USERNS_REMAP"]);
  });
});

it("a Docker that will do is not looked at further", async () => {
  expect(await check({ host: { swapBytes: 1 } }).codes).toEqual([]);
  expect(openHelper).not.toHaveBeenCalled();
});
