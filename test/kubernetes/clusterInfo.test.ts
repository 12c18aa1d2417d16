import { describe, expect, test } from "vitest";
import {
  clusterInfo,
  isSignatureOf,
  readClusterInfo,
  signatureOf,
  tokenSecret,
} from "../../src/kubernetes/clusterInfo.js";

const signer = { id: "abcdef", secret: "0123456789abcdef" };

describe("a signature", () => {
  // From Kubernetes' own test: TestComputeDetachedSig in cluster-bootstrap/token/jws.
  const content = "Hello from the other side. I must have called a thousand times.";
  const known = { id: "joshua", secret: "my voice is my passcode" };
  const jws = "eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8";

  test("is the one that Kubernetes makes", () => {
    expect(signatureOf(content, known)).toBe(jws);
    expect(isSignatureOf(jws, content, known)).toBe(true);
  });

  test.each([
    ["other content", jws, `${content}.`, known],
    ["another secret", jws, content, { ...known, secret: "x" }],
    ["another token", jws, content, { ...known, id: "abcdef" }],
    ["no algorithm", `${Buffer.from('{"alg":"none","kid":"joshua"}').toString("base64url")}..`, content, known],
    ["nonsense", "x", content, known],
  ])("is none with %s", (_, signature, text, token) => {
    expect(isSignatureOf(signature, text, token)).toBe(false);
  });
});

test("cluster-info says where the cluster is, signed for its tokens", () => {
  const claim = readClusterInfo(clusterInfo("https://10.0.0.5:6443", "CA\n", [signer]));
  expect(claim).toMatchObject({ server: "https://10.0.0.5:6443", caPem: "CA\n" });
  expect(claim && isSignatureOf(claim.signatures.get("abcdef") ?? "", claim.kubeconfig, signer)).toBe(true);
  expect(readClusterInfo(clusterInfo("https://10.0.0.5:6443", "CA\n"))?.signatures.size).toBe(0);
});

test.each([[undefined], [{}], [{ data: {} }], [{ data: { kubeconfig: "[" } }], [{ data: { kubeconfig: "clusters: []" } }]])(
  "%j is no cluster-info",
  (configMap) => {
    expect(readClusterInfo(configMap)).toBeUndefined();
  },
);

test("a token's Secret is as Kubernetes' documentation describes it", () => {
  const secret = tokenSecret(signer, { expiresMs: Date.UTC(2030, 0, 2, 3, 4, 5, 678), description: "for lab" });
  expect(secret).toMatchObject({
    kind: "Secret",
    metadata: { name: "bootstrap-token-abcdef", namespace: "kube-system" },
    type: "bootstrap.kubernetes.io/token",
  });
  const data = Object.entries(secret["data"] as Record<string, string>);
  expect(Object.fromEntries(data.map(([key, value]) => [key, Buffer.from(value, "base64").toString()]))).toEqual({
    "token-id": "abcdef",
    "token-secret": "0123456789abcdef",
    description: "for lab",
    expiration: "2030-01-02T03:04:05Z",
    "usage-bootstrap-authentication": "true",
    "usage-bootstrap-signing": "true",
    "auth-extra-groups": "system:bootstrappers:tsdeploy:default-node-token",
  });
  expect(tokenSecret(signer)["data"]).not.toHaveProperty("expiration");
});
