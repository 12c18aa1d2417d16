import { afterEach, describe, expect, it, vi } from "vitest";
import type { EtcdAccess } from "../../src/apply/applyContext.js";
import { acceptedOptionsFile } from "../../src/config/acceptedOptions.js";
import { HostEtcd } from "../../src/deploy/hostEtcd.js";
import type { HostWithRecords } from "../../src/deploy/hostToTearDown.js";
import { masterToLeave, ownMember } from "../../src/deploy/leaveMasters.js";
import type { EtcdMember } from "../../src/kubernetes/etcdMembers.js";
import { paths } from "../../src/model/hostLayout.js";
import type { TeardownOptions } from "../../src/model/options.js";
import type { RunContext } from "../../src/report/runContext.js";
import { etcdClusterOf, memoryEtcd } from "../apply/memory/etcd.js";
import { masterOptions } from "../plan/fixtures.js";

const urlOf = (index: number): string => `https://10.0.0.${index}:2380`;

function member(index: number, peerUrl = urlOf(index)): EtcdMember {
  return { id: String(index), name: `machine-${index}`, peerUrls: [peerUrl], clientUrls: [], isLearner: false };
}

/** An etcd of these members; `here` is the id of the one that answers on this host. */
function etcdOf(here: string | undefined, ...members: EtcdMember[]): EtcdAccess {
  const around = async <T>(_: string, effect: () => T | Promise<T>): Promise<T> => effect();
  return memoryEtcd(etcdClusterOf(...members), { faults: { around }, here: () => here, lives: () => true });
}

const { signal } = new AbortController();
const hosts = ["127.0.0.1", "10.0.0.1"];
const machine3 = { name: "machine-3", peerUrl: urlOf(3) };

describe("the member of a host whose master is torn down", () => {
  it.each([
    ["alone, from before there were to be several", etcdOf("3", member(3, "http://localhost:2380"))],
    ["one of several, from before the host had another address", etcdOf("3", member(1), member(3, "https://10.9.9.9:2380"))],
  ])("is the one that etcd here says it is, at whatever address: %s", async (_, etcd) => {
    expect(await ownMember(etcd, hosts, machine3, signal)).toMatchObject({ from: "127.0.0.1", own: { id: "3" } });
  });

  it("is told by its address where another one has to be asked, and may have left", async () => {
    const { own, from } = await ownMember(etcdOf(undefined, member(1), member(3)), hosts, machine3, signal);
    expect([from, own?.id]).toEqual(["10.0.0.1", "3"]);
    expect((await ownMember(etcdOf(undefined, member(1)), hosts, machine3, signal)).own).toBeUndefined();
  });

  it("may not have left where another one knows its name at another address", async () => {
    const etcd = etcdOf(undefined, member(1), member(3, "https://10.9.9.9:2380"));
    await expect(ownMember(etcd, hosts, machine3, signal)).rejects.toThrow(/ETCD_MEMBER_UNKNOWN.*10\.9\.9\.9/);
  });

  it("has not left where etcd here answers, even if that does not name it", async () => {
    const members = () => Promise.resolve({ own: "", members: [member(1)] });
    const etcd = { at: () => ({ members }) } as unknown as EtcdAccess;
    await expect(ownMember(etcd, hosts, machine3, signal)).rejects.toThrow("ETCD_MEMBER_UNKNOWN");
  });
});

describe("a master that --force takes off its host without its member", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** What the person is told, of a host whose own etcd does not answer. */
  async function told(etcd: EtcdAccess): Promise<string> {
    vi.spyOn(HostEtcd, "byFiles").mockReturnValue({ ...etcd, close: () => undefined } as unknown as HostEtcd);
    const options = { ...masterOptions, severalMasters: true, k8sVersion: "v1.20.2", join: "10.0.0.1" };
    const accepted = acceptedOptionsFile({ ...options, nodeName: "machine-3", ip: ["10.0.0.3"] });
    const contents = { [paths.options]: accepted.content, [`${paths.pki}/apiserver-etcd-client.key`]: "KEY" };
    const files = new Map(Object.entries(contents).map(([path, content]) => [path, { content }]));
    const host = { files, engineFacts: { containers: [] } } as unknown as HostWithRecords;
    const said: string[] = [];
    const report = (event: object): void => void said.push(JSON.stringify(event));
    const force = { force: true, timeoutMs: 1_000 } as TeardownOptions;
    expect(await masterToLeave(host, force, { signal, report } as unknown as RunContext)).toBeUndefined();
    return said.join();
  }

  it("is told how the member is removed", async () => {
    const members = () => Promise.reject(new Error("no answer"));
    const etcd = { at: () => ({ members }) } as unknown as EtcdAccess;
    expect(await told(etcd)).toContain("run: tsdeploy member remove machine-3");
  });

  it("is not told to remove one of its name that may have taken its place", async () => {
    const message = await told(etcdOf(undefined, member(1), member(3, "https://10.9.9.9:2380")));
    expect(message).toContain("10.9.9.9");
    expect(message).not.toContain("member remove");
  });
});
