import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { KubernetesClient } from "../../src/api/kubernetesClient.js";
import { findMembership, membershipBy } from "../../src/deploy/membership.js";
import type { Node } from "../../src/apply/probes.js";
import type { HostSession } from "../../src/deploy/hostSession.js";
import type { SeenCluster } from "../../src/deploy/seenCluster.js";
import type { Helper } from "../../src/host/helperSession.js";
import { clusterConfigMap } from "../../src/kubernetes/bootstrapObjects.js";
import { readKubeconfig, withServer } from "../../src/kubernetes/kubeconfig.js";
import { paths } from "../../src/model/hostLayout.js";
import { makeIdentity } from "../../src/pki/makeIdentity.js";
import type { RunContext } from "../../src/report/runContext.js";
import { TestApiServer } from "../api/testApiServer.js";
import { clusterConfig } from "../kubernetes/clusterConfig.js";
import { observedHost } from "../host/fixtures.js";
import { identityRequest, onHost } from "../pki/identityRequest.js";

const { signal } = new AbortController();
const context = { signal, env: {}, isTTY: false, report: () => undefined } as unknown as RunContext;

let server: TestApiServer;
/** A worker's files, whose kubeconfig still names the address that the master had. */
let files: ReturnType<typeof onHost>;

beforeEach(async () => {
  const { identity, files: made } = await makeIdentity(identityRequest);
  server = await TestApiServer.start(identity.apiserver, identity.ca.certificate);
  const admin = new KubernetesClient({ server: `https://${server.address}`, connect: server.connect });
  await admin.apply({ apiVersion: "v1", kind: "Namespace", metadata: { name: "kube-system" } });
  await admin.apply(clusterConfigMap({ ...clusterConfig, apiserver: `https://${server.address}` }));
  admin.close();
  files = onHost(made);
  const kubeconfig = files.get(paths.kubeletConf);
  if (!kubeconfig) throw new Error("no kubeconfig");
  files.set(paths.kubeletConf, { ...kubeconfig, content: withServer(kubeconfig.content, "https://10.0.0.5:6443") });
});

afterEach(() => server.stop());

async function find(master: string) {
  const dialled: string[] = [];
  const helper: Partial<Helper> = {
    openTcp: (host, port) => {
      dialled.push(`${host}:${port}`);
      return server.connect();
    },
  };
  const session = { helper, observed: { files } } as unknown as HostSession;
  const found = await findMembership({
    way: { helper: helper as Helper },
    session,
    options: { master, timeoutMs: 10_000 },
    context,
  });
  found.api.close();
  return { ...found, dialled };
}

test("a node of a master that has moved is a node of its cluster still, and gets a kubeconfig that says where it is", async () => {
  const { hasJoined, credentials, dialled } = await find(server.address);
  expect(hasJoined).toBe(true);
  // Where it was, nobody may answer for minutes.
  expect(new Set(dialled)).toEqual(new Set([server.address]));
  const written = credentials.find(({ path }) => path === paths.kubeletConf);
  const before = files.get(paths.kubeletConf)?.content ?? "";
  expect(readKubeconfig(written?.content ?? "")).toEqual({ ...readKubeconfig(before), server: `https://${server.address}` });
  expect(written).toMatchObject({ secret: true, mode: 0o600 });
});

test("a kubeconfig that says so already stays as it is", async () => {
  const kubeconfig = files.get(paths.kubeletConf);
  if (!kubeconfig) throw new Error("no kubeconfig");
  // Its own form, as a kubelet writes it.
  const content = `# by kubelet\n${withServer(kubeconfig.content, `https://${server.address}`)}`;
  files.set(paths.kubeletConf, { ...kubeconfig, content });
  const { credentials } = await find(server.address);
  expect(credentials.map(({ path }) => path)).toEqual([`${paths.pki}/ca.crt`]);
});

test("a node of another cluster is refused", async () => {
  const stranger = onHost((await makeIdentity(identityRequest)).files);
  const kubeconfig = stranger.get(paths.kubeletConf);
  if (!kubeconfig) throw new Error("no kubeconfig");
  const content = withServer(kubeconfig.content, "https://10.0.0.5:6443");
  files = stranger.set(paths.kubeletConf, { ...kubeconfig, content });
  const refusal = /ALREADY_JOINED.*a node of the cluster at https:\/\/10\.0\.0\.5:6443/;
  await expect(find(server.address)).rejects.toThrow(refusal);
});

describe("a host that is compared with a cluster that its master has shown", () => {
  const ready = { type: "Ready", status: "True" };
  let entries: string[];

  function seen(nodeName = "worker-1", status: Node["status"] = { conditions: [ready] }): SeenCluster {
    const config = { ...clusterConfig, apiserver: `https://${server.address}` };
    const caPem = files.get(`${paths.pki}/ca.crt`)?.content ?? "";
    const followed = { caPem, config, configurations: {}, masters: [], validity: undefined };
    return { master: "127.0.0.1", nodes: [{ metadata: { name: nodeName }, status }], followed };
  }

  /** The host's own files lie there that the kubeconfig names. */
  function host() {
    return { ...observedHost.host, entries };
  }

  beforeEach(() => {
    entries = [];
    files.set(paths.options, { content: "nodeName: worker-1\nip: 10.0.0.6\n", mode: 0o600 });
  });

  test("has the credentials that it would have by asking itself", async () => {
    const { credentials } = await find(server.address);
    expect(membershipBy(seen(), { files, host: host() })).toMatchObject({ credentials, hasJoined: true });
  });

  test.each([
    ["is not Ready: its own credential may be good no more", () => seen("worker-1", { conditions: [{ ...ready, status: "Unknown" }] })],
    ["is no node of it", () => seen("worker-2")],
    ["has another CA", () => ({ ...seen(), followed: { ...seen().followed, caPem: "another" } }) as SeenCluster],
    ["has a master that does not say what its workers follow", () => ({ master: "127.0.0.1", nodes: seen().nodes })],
  ])("asks by itself if it %s", (_, cluster) => {
    expect(membershipBy(cluster(), { files, host: host() })).toBeUndefined();
  });

  test("asks by itself if its kubeconfig cannot be read", () => {
    files.set(paths.kubeletConf, { content: "apiVersion: v1\n", mode: 0o600 });
    expect(membershipBy(seen(), { files, host: host() })).toBeUndefined();
  });

  test("asks by itself if the certificate is gone that its kubeconfig names, which its kubelet still knows", () => {
    const pem = "/var/lib/kubelet/pki/kubelet-client-current.pem";
    const user = { "client-certificate": pem, "client-key": pem };
    const view = parse(files.get(paths.kubeletConf)?.content ?? "") as { users: { user: unknown }[] };
    view.users[0] = { ...view.users[0], user };
    files.set(paths.kubeletConf, { content: stringify(view), mode: 0o600 });
    expect(membershipBy(seen(), { files, host: host() })).toBeUndefined();
    entries = [pem];
    expect(membershipBy(seen(), { files, host: host() })).toMatchObject({ hasJoined: true });
  });
});
