import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { discoverCluster } from "../../src/api/discoverCluster.js";
import { KubernetesClient } from "../../src/api/kubernetesClient.js";
import { bootstrapObjects, clusterConfigMap, clusterConfigPath } from "../../src/kubernetes/bootstrapObjects.js";
import { clusterInfo, clusterInfoPath } from "../../src/kubernetes/clusterInfo.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import type { ClusterIdentity, JoinToken } from "../../src/model/identity.js";
import { bootstrapToken, makeJoinToken } from "../../src/pki/joinToken.js";
import { makeIdentity } from "../../src/pki/makeIdentity.js";
import { clusterConfig } from "../kubernetes/clusterConfig.js";
import { identityRequest } from "../pki/identityRequest.js";
import { TestApiServer } from "./testApiServer.js";

let identity: ClusterIdentity;
let server: TestApiServer;
let token: JoinToken;

beforeAll(async () => {
  ({ identity } = await makeIdentity(identityRequest));
});

beforeEach(async () => {
  token = makeJoinToken(identity.ca.certificate);
  server = await TestApiServer.start(identity.apiserver, identity.ca.certificate);
  const admin = new KubernetesClient({ server: `https://${server.address}`, connect: server.connect });
  for (const object of bootstrapObjects(clusterConfig, identity.ca.certificate, featuresOf("v1.20.2"), [token])) {
    await admin.apply(object);
  }
  admin.close();
  server.requests.length = 0;
  server.access = (who, method, path) => {
    if (method === "GET" && path === clusterInfoPath) return 200;
    if (who === "anonymous") return 403;
    if (who !== `Bearer ${bootstrapToken(token)}`) return 401;
    return method === "GET" && path === clusterConfigPath ? 200 : 403;
  };
});

afterEach(() => server.stop());

function discover(with_: Partial<JoinToken> = {}): ReturnType<typeof discoverCluster> {
  return discoverCluster({ token: { ...token, ...with_ }, apiserver: server.address, connect: server.connect });
}

test("a token alone tells the CA and what a node has to know", async () => {
  const { caPem, config } = await discover();
  expect({ caPem, config }).toEqual({ caPem: identity.ca.certificate, config: clusterConfig });
  expect(server.requests).toEqual([`GET ${clusterInfoPath}`, `GET ${clusterConfigPath}`]);
});

test("the token goes to nobody before the CA is proven", async () => {
  let told = "";
  server.access = (who) => {
    told += who;
    return 200;
  };
  await expect(discover({ caHash: "0".repeat(64) })).rejects.toMatchObject({
    kind: "unreachable",
    problems: [{ code: "CA_MISMATCH" }],
  });
  expect(told).toBe("anonymous");
});

test("somebody in between with the cluster's cluster-info but another certificate learns nothing", async () => {
  const other = await makeIdentity(identityRequest);
  const between = await TestApiServer.start(other.identity.apiserver, identity.ca.certificate);
  for (const [path, object] of server.objects) between.put(path, object);
  let told = "";
  between.access = (who) => {
    told += who;
    return 200;
  };
  const { address: apiserver, connect } = between;
  await expect(discoverCluster({ token, apiserver, connect })).rejects.toThrow(/CA_MISMATCH/);
  expect(told).toBe("anonymous");
  await between.stop();
});

describe("a cluster-info with more than the pinned certificate", () => {
  let attacker: ClusterIdentity;

  beforeAll(async () => {
    ({ identity: attacker } = await makeIdentity(identityRequest));
  });

  const bundles: [string, () => string[]][] = [
    ["behind it", () => [identity.ca.certificate, attacker.ca.certificate]],
    ["before it", () => [attacker.ca.certificate, identity.ca.certificate]],
  ];

  test.each(bundles)("gives no trust to a CA %s", async (_, bundle) => {
    const between = await TestApiServer.start(attacker.apiserver, attacker.ca.certificate);
    between.put(clusterInfoPath, clusterInfo(`https://${between.address}`, bundle().join(""), [token]));
    between.put(clusterConfigPath, clusterConfigMap(clusterConfig));
    let told = "";
    between.access = (who) => {
      told += who;
      return 200;
    };
    const { address: apiserver, connect } = between;
    await expect(discoverCluster({ token, apiserver, connect })).rejects.toThrow(/CA_MISMATCH/);
    expect(told).toBe("anonymous");
    await between.stop();
  });

  test.each(bundles)("hands on the pinned certificate alone, without a CA %s", async (_, bundle) => {
    server.put(clusterInfoPath, clusterInfo(`https://${server.address}`, bundle().join(""), [token]));
    expect((await discover()).caPem).toBe(identity.ca.certificate);
  });
});

test.each([
  ["a wrong secret", { secret: "0000000000000000" }, /TOKEN_REFUSED.*secret is wrong/],
  ["an unknown id", { id: "000000" }, /TOKEN_REFUSED.*expired, was revoked/],
])("%s is refused, and not repeated", async (_, change, message) => {
  const failure = discover(change);
  await expect(failure).rejects.toThrow(message);
  await expect(failure).rejects.toMatchObject({
    problems: [{ hint: expect.stringContaining("tsdeploy token create") as string }],
  });
  await expect(failure).rejects.not.toThrow(token.secret);
});

test("a token that ends between the two questions is refused", async () => {
  server.access = (_, __, path) => (path === clusterInfoPath ? 200 : 401);
  await expect(discover()).rejects.toThrow(/TOKEN_REFUSED/);
});

test.each([
  ["without a public cluster-info", (): void => void server.objects.delete(clusterInfoPath)],
  ["with anonymous access closed", (): void => void (server.access = () => 401)],
  ["without our ConfigMap", (): void => void server.objects.delete(clusterConfigPath)],
])("a Kubernetes %s was not made by tsdeploy", async (_, change) => {
  change();
  await expect(discover()).rejects.toMatchObject({ kind: "conflict", problems: [{ code: "NOT_TSDEPLOY" }] });
});

test("nobody there is no news about the token", async () => {
  const connect = (): Promise<never> => Promise.reject(new Error("connect ECONNREFUSED"));
  const failure = discoverCluster({ token, apiserver: "10.0.0.5:6443", connect });
  await expect(failure).rejects.toMatchObject({ problems: [{ code: "API_UNREACHABLE" }] });
});

describe("a master of versions that read tokens from a file", () => {
  let classic: ClusterIdentity;
  let fixed: JoinToken;
  let master: TestApiServer;

  beforeEach(async () => {
    const made = await makeIdentity({ ...identityRequest, tokenFile: true });
    if (!made.joinToken) throw new Error("no join token");
    classic = made.identity;
    fixed = made.joinToken;
    master = await TestApiServer.start(classic.apiserver, classic.ca.certificate);
    master.put(clusterConfigPath, clusterConfigMap(clusterConfig));
    // It knows no anonymous user.
    master.access = (who) => (who === `Bearer ${bootstrapToken(fixed)}` ? 200 : 401);
  });

  afterEach(() => master.stop());

  const discoverBy = (joinToken: JoinToken): ReturnType<typeof discoverCluster> =>
    discoverCluster({ token: joinToken, apiserver: master.address, connect: master.connect });

  test("proves its CA in the handshake", async () => {
    const { caPem, config } = await discoverBy(fixed);
    expect(caPem.trim()).toBe(classic.ca.certificate.trim());
    expect(config).toEqual(clusterConfig);
  });

  test("is another one than the token's by its CA, and does not learn the token", async () => {
    let told = "";
    master.access = (who) => {
      told += who;
      return 401;
    };
    await expect(discoverBy(token)).rejects.toMatchObject({ problems: [{ code: "CA_MISMATCH" }] });
    expect(told).toBe("anonymous");
  });

  test("cannot be played by who has its CA's certificate alone", async () => {
    const stranger = await makeIdentity({ ...identityRequest, tokenFile: true });
    const [leaf = ""] = stranger.identity.apiserver.certificate.split(/(?<=-----END CERTIFICATE-----\n)/);
    const chain = { ...stranger.identity.apiserver, certificate: leaf + classic.ca.certificate };
    const between = await TestApiServer.start(chain, classic.ca.certificate);
    let told = "";
    between.access = (who) => {
      told += who;
      return 200;
    };
    const { address: apiserver, connect } = between;
    await expect(discoverCluster({ token: fixed, apiserver, connect })).rejects.toThrow(/CA_MISMATCH/);
    expect(told).toBe("anonymous");
    await between.stop();
  });

  test("refuses a wrong secret", async () => {
    const failure = discoverBy({ ...fixed, secret: "0000000000000000" });
    await expect(failure).rejects.toMatchObject({ problems: [{ code: "TOKEN_REFUSED" }] });
  });
});
