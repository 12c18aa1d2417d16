import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { Duplex } from "node:stream";
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { ApiError, KubernetesClient, type KubernetesClientOptions } from "../../src/api/kubernetesClient.js";
import type { ClusterIdentity } from "../../src/model/identity.js";
import { makeCertificate } from "../../src/pki/makeCertificate.js";
import { makeIdentity } from "../../src/pki/makeIdentity.js";
import { identityRequest } from "../pki/identityRequest.js";
import { connectTo, TestApiServer } from "./testApiServer.js";

let identity: ClusterIdentity;
let stranger: ClusterIdentity;
let server: TestApiServer;
const clients: KubernetesClient[] = [];

beforeAll(async () => {
  [{ identity }, { identity: stranger }] = await Promise.all([
    makeIdentity(identityRequest),
    makeIdentity(identityRequest),
  ]);
});

beforeEach(async () => {
  server = await TestApiServer.start(identity.apiserver, identity.ca.certificate);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await server.stop();
});

function clientWith(options: Partial<KubernetesClientOptions> = {}): KubernetesClient {
  const common = { server: `https://${server.address}`, connect: server.connect, caPem: identity.ca.certificate };
  const client = new KubernetesClient({ ...common, ...options });
  clients.push(client);
  return client;
}

const configMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "tsdeploy", namespace: "kube-system", labels: { a: "1" } },
  data: { one: "1" },
};
const path = "/api/v1/namespaces/kube-system/configmaps/tsdeploy";

describe("the client shows who it is", () => {
  test.each([
    ["by a client certificate", () => ({ keyPair: identity.admin }), "kubernetes-admin"],
    ["by a bearer token", () => ({ token: "abcdef.0123456789abcdef" }), "Bearer abcdef.0123456789abcdef"],
  ])("%s", async (_, credentials, who) => {
    let seen = "";
    server.access = (name) => {
      seen = name;
      return 200;
    };
    await clientWith({ credentials: credentials() }).healthz();
    expect(seen).toBe(who);
  });

  test("or is nobody", async () => {
    server.access = (who) => (who === "anonymous" ? 401 : 200);
    await expect(clientWith().healthz()).rejects.toMatchObject({ status: 401, reason: "Unauthorized" });
    const other = clientWith({ credentials: { keyPair: stranger.admin } });
    await expect(other.healthz()).rejects.toMatchObject({ status: 401 });
  });

  test("not by what is no certificate", async () => {
    const client = clientWith({ credentials: { keyPair: { certificate: "cut off", privateKey: "cut off" } } });
    await expect(client.healthz()).rejects.toMatchObject({ kind: "unreachable" });
  });
});

describe("objects", () => {
  test("are created, read, listed, replaced, patched and deleted", async () => {
    const client = clientWith();
    await client.create(configMap);
    const read = await client.get(path);
    expect(read).toMatchObject(configMap);
    await client.replace({ ...read, data: { two: "2" } });
    await client.patch(path, { data: { three: "3" } });
    const query = { labelSelector: "a=1,b in (x)" };
    expect(await client.list("/api/v1/namespaces/kube-system/configmaps", { query })).toMatchObject([
      { data: { two: "2", three: "3" } },
    ]);
    expect(server.requests.at(-1)).toContain("?labelSelector=a%3D1%2Cb+in+%28x%29");
    await client.delete(path);
    await expect(client.get(path)).rejects.toThrow(ApiError);
    await expect(client.get(path)).rejects.toMatchObject({ status: 404, reason: "NotFound" });
  });

  test("are applied once, and what others added stays", async () => {
    const client = clientWith();
    expect(await client.apply(configMap)).toBe("created");
    expect(await client.apply(configMap)).toBe("unchanged");
    await client.patch(path, { metadata: { annotations: { by: "someone" } }, data: { "jws-kubeconfig-abcdef": "x" } });
    expect(await client.apply(configMap)).toBe("unchanged");
    const seen: unknown[] = [];
    const onWrite = (existing: unknown): void => {
      seen.push(existing);
    };
    expect(await client.apply(configMap, { onWrite })).toBe("unchanged");
    expect(await client.apply({ ...configMap, data: { one: "2" } }, { onWrite })).toBe("changed");
    expect(seen).toMatchObject([{ data: { one: "1" } }]);
    expect(await client.get(path)).toMatchObject({
      metadata: { annotations: { by: "someone" }, labels: { a: "1" } },
      data: { one: "2", "jws-kubeconfig-abcdef": "x" },
    });
  });

  test("applied by two at once end as both want", async () => {
    const [one, other] = [clientWith(), clientWith()];
    const result = await Promise.all([
      one.apply({ ...configMap, data: { one: "1" } }),
      other.apply({ ...configMap, data: { other: "1" } }),
    ]);
    expect(result.sort()).toEqual(["changed", "created"]);
    expect(await one.get(path)).toMatchObject({ data: { one: "1", other: "1" } });
  });
});

describe("connections", () => {
  test("are reused", async () => {
    const client = clientWith();
    for (let count = 0; count < 5; count += 1) await client.healthz();
    expect(server.connections).toBe(1);
  });

  test("tell what certificates the server showed", async () => {
    const chain = [identity.apiserver.certificate, identity.ca.certificate];
    const showing = await TestApiServer.start({ ...identity.apiserver, certificate: chain.join("") }, chain[1] ?? "");
    for (const [{ address, connect }, shown] of [[server, chain.slice(0, 1)], [showing, chain]] as const) {
      const client = clientWith({ server: `https://${address}`, connect });
      expect(client.peerCertificates).toEqual([]);
      await client.healthz();
      expect(client.peerCertificates.map((pem) => pem.trim())).toEqual(shown.map((pem) => pem.trim()));
    }
    await showing.stop();
  });

  test("that the API server has cut are made anew without a word", async () => {
    const client = clientWith();
    await client.healthz();
    await server.cutConnections();
    await client.healthz();
    expect(server.connections).toBe(2);
  });

  test("are ended by close, and none is made afterwards", async () => {
    const client = clientWith();
    await client.healthz();
    client.close();
    await server.stop();
    server = await TestApiServer.start(identity.apiserver, identity.ca.certificate);
    await expect(clientWith({ connect: () => Promise.reject(new Error("no")) }).healthz()).rejects.toThrow(/no/);
  });
});

describe("a failure is told by its cause", () => {
  const others: Server[] = [];

  afterEach(() => {
    for (const other of others.splice(0)) other.close();
  });

  async function listen(other: Server): Promise<Partial<KubernetesClientOptions>> {
    others.push(other);
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as AddressInfo;
    return { server: `https://127.0.0.1:${port}`, connect: () => connectTo(port) };
  }

  async function failureOf(options: Partial<KubernetesClientOptions>): Promise<unknown> {
    return clientWith(options)
      .get(path)
      .catch((error: unknown) => error);
  }

  test("nobody listens", async () => {
    const options = await listen(createTcpServer());
    await new Promise((resolve) => others.pop()?.close(resolve));
    expect(await failureOf(options)).toMatchObject({
      kind: "unreachable",
      problems: [{ code: "API_UNREACHABLE", message: expect.stringContaining("ECONNREFUSED") as string }],
    });
  });

  test("the connection ends at once, as when socat cannot connect", async () => {
    const options = await listen(createTcpServer((socket) => socket.end()));
    expect(await failureOf(options)).toMatchObject({ problems: [{ code: "API_UNREACHABLE" }] });
    const connect = (): Promise<Duplex> => {
      const stream = new Duplex({ read: () => undefined, write: () => stream.destroy(new Error("socat: no route")) });
      return Promise.resolve(stream);
    };
    expect(await failureOf({ connect })).toMatchObject({
      problems: [{ code: "API_UNREACHABLE", message: expect.stringContaining("socat: no route") as string }],
    });
  });

  test("it is silent", async () => {
    const options = await listen(createTcpServer());
    expect(await failureOf({ ...options, timeoutMs: 50 })).toMatchObject({
      problems: [{ code: "API_UNREACHABLE", message: expect.stringContaining("no answer within 0.05 s") as string }],
    });
    const never = { connect: () => new Promise<Duplex>(() => undefined), timeoutMs: 50 };
    expect(await failureOf(never)).toMatchObject({ problems: [{ code: "API_UNREACHABLE" }] });
  });

  test("it does not speak TLS", async () => {
    const ssh = await listen(createTcpServer((socket) => socket.end("SSH-2.0-OpenSSH_9.2\r\n")));
    expect(await failureOf(ssh)).toMatchObject({ problems: [{ code: "NOT_KUBERNETES" }] });
    const http = await listen(createHttpServer((_, response) => response.end()));
    expect(await failureOf(http)).toMatchObject({ problems: [{ code: "NOT_KUBERNETES" }] });
  });

  test("it speaks TLS but not HTTP, or not JSON", async () => {
    const { certificate: cert, privateKey: key } = identity.apiserver;
    const smtp = await listen(createTlsServer({ cert, key }, (socket) => socket.end("220 mail ESMTP\r\n\r\n")));
    expect(await failureOf(smtp)).toMatchObject({ problems: [{ code: "NOT_KUBERNETES" }] });
    const answer = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n<html>";
    const web = await listen(createTlsServer({ cert, key }, (socket) => socket.once("data", () => socket.end(answer))));
    expect(await failureOf(web)).toMatchObject({ problems: [{ code: "NOT_KUBERNETES" }] });
  });

  test("another CA signed its certificate", async () => {
    expect(await failureOf({ caPem: stranger.ca.certificate })).toMatchObject({
      kind: "unreachable",
      problems: [{ code: "CA_MISMATCH" }],
    });
  });

  test("its certificate is for other addresses", async () => {
    expect(await failureOf({ server: "https://10.1.2.3:6443" })).toMatchObject({
      problems: [{ code: "ADDRESS_MISMATCH" }],
    });
    await clientWith({ server: "https://kubernetes.default.svc" }).healthz();
  });

  test.each([
    ["has ended", -2, -1],
    ["is not valid yet", 1, 2],
  ])("its certificate %s: both clocks are told", async (_, fromDays, toDays) => {
    const at = (days: number): number => Date.now() + days * 24 * 60 * 60 * 1000;
    const { privateKey } = identity.apiserver;
    const validity = { notBeforeMs: at(fromDays), notAfterMs: at(toDays) };
    const request = { commonName: "x", privateKey, issuer: identity.ca, usages: ["server" as const], names: ["127.0.0.1"] };
    await server.stop();
    const certificate = await makeCertificate({ ...request, ...validity });
    server = await TestApiServer.start({ certificate, privateKey }, identity.ca.certificate);
    const failure = await failureOf({ credentials: { token: "secret" } });
    expect(failure).toMatchObject({ kind: "environment", problems: [{ code: "CLOCK_SKEW" }] });
    const today = new Date().toISOString().slice(0, 10);
    expect(String(failure)).toMatch(new RegExp(`here it is ${today}T.*, there it is ${today}T`));
  });

  test("a person stopped it", async () => {
    const controller = new AbortController();
    const connect = (): Promise<Duplex> => {
      controller.abort();
      return new Promise<Duplex>(() => undefined);
    };
    const failure = clientWith({ connect }).get(path, { signal: controller.signal });
    await expect(failure).rejects.toMatchObject({ kind: "aborted", problems: [{ code: "ABORTED" }] });
  });
});
