import { execFileSync } from "node:child_process";
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify, X509Certificate } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readKubeconfig } from "../../src/kubernetes/kubeconfig.js";
import { TsdeployError } from "../../src/model/errors.js";
import { caHash } from "../../src/pki/joinToken.js";
import { makeCertificate } from "../../src/pki/makeCertificate.js";
import { type IdentityRequest, type MadeIdentity, makeIdentity, makeSpareIdentity } from "../../src/pki/makeIdentity.js";
import { identityRequest, onHost } from "./identityRequest.js";

/** @param form in which the private key is written */
function expectSigningPair({ identity }: MadeIdentity, form: "EC" | "RSA"): void {
  const { privateKey, publicKey } = identity.serviceAccount;
  expect(privateKey).toMatch(new RegExp(`^-----BEGIN ${form} PRIVATE KEY-----`));
  const signature = sign("sha256", Buffer.from("x"), createPrivateKey(privateKey));
  expect(verify("sha256", Buffer.from("x"), createPublicKey(publicKey), signature)).toBe(true);
}

const pki = "/etc/kubernetes/pki";
const dayMs = 24 * 60 * 60 * 1000;

let fresh: MadeIdentity;
let root: string;

beforeAll(async () => {
  fresh = await makeIdentity({ ...identityRequest, extraSans: ["api.example.com", "203.0.113.7", "::1"] });
  root = mkdtempSync(join(tmpdir(), "tsdeploy-pki-"));
  for (const { path, content } of fresh.files) {
    mkdirSync(dirname(root + path), { recursive: true });
    writeFileSync(root + path, content);
  }
});

afterAll(() => {
  rmSync(root, { recursive: true });
});

function openssl(...args: string[]): string {
  return execFileSync("openssl", args, { encoding: "utf8", cwd: root + pki, stdio: ["ignore", "pipe", "pipe"] });
}

type Host = ReturnType<typeof onHost>;

/** Runs it again on what is on the host, with changes. */
function again(changes: Partial<IdentityRequest>, edit?: (host: Host) => void): Promise<MadeIdentity> {
  const existing = onHost(fresh.files);
  edit?.(existing);
  const extraSans = ["api.example.com", "203.0.113.7", "::1"];
  return makeIdentity({ ...identityRequest, extraSans, etcdData: true, existing, ...changes });
}

async function problemsOf(run: Promise<unknown>): Promise<readonly { code: string; message: string }[]> {
  const error: unknown = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(TsdeployError);
  return (error as TsdeployError).problems;
}

describe("a fresh identity", () => {
  test("has kubeadm's files, keys for the owner alone", () => {
    const modes = Object.fromEntries(fresh.files.map(({ path, mode }) => [path.replace("/etc/kubernetes/", ""), mode]));
    const pairs = ["ca", "front-proxy-ca", "etcd/ca", "apiserver", "apiserver-kubelet-client", "apiserver-etcd-client"];
    for (const pair of [...pairs, "front-proxy-client", "etcd/server"]) {
      expect(modes).toMatchObject({ [`pki/${pair}.key`]: 0o600, [`pki/${pair}.crt`]: 0o644 });
    }
    expect(modes).toMatchObject({ "pki/sa.key": 0o600, "pki/sa.pub": 0o644 });
    for (const name of ["admin", "controller-manager", "scheduler", "kube-proxy", "addon-manager", "kubelet"]) {
      expect(modes).toHaveProperty([`${name}.conf`], 0o600);
    }
    expect(fresh.files).toHaveLength(8 * 2 + 2 + 6);
    expect(fresh.files.every(({ mode, secret }) => secret === (mode === 0o600))).toBe(true);
  });

  test.each([
    ["ca.crt", "apiserver.crt", "sslserver", "CN = kube-apiserver"],
    ["ca.crt", "apiserver-kubelet-client.crt", "sslclient", "O = system:masters, CN = kube-apiserver-kubelet-client"],
    ["etcd/ca.crt", "apiserver-etcd-client.crt", "sslclient", "CN = kube-apiserver-etcd-client"],
    ["etcd/ca.crt", "etcd/server.crt", "sslserver", "CN = master-1"],
    ["etcd/ca.crt", "etcd/server.crt", "sslclient", "CN = master-1"],
    ["front-proxy-ca.crt", "front-proxy-client.crt", "sslclient", "CN = front-proxy-client"],
  ])("openssl, with %s, takes %s as %s", (ca, leaf, purpose, subject) => {
    expect(openssl("verify", "-x509_strict", "-CAfile", ca, "-purpose", purpose, leaf)).toContain("OK");
    expect(openssl("x509", "-in", leaf, "-noout", "-subject")).toBe(`subject=${subject}\n`);
  });

  test("is refused by openssl for what it is not for", () => {
    expect(() => openssl("verify", "-CAfile", "ca.crt", "-purpose", "sslclient", "apiserver.crt")).toThrow();
    expect(() => openssl("verify", "-CAfile", "etcd/ca.crt", "apiserver.crt")).toThrow();
  });

  test("names the API server by all that it is reached by", () => {
    const certificate = new X509Certificate(fresh.identity.apiserver.certificate);
    const services = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"];
    for (const name of [...services, "kubernetes.default.svc.cluster.local", "localhost", "master-1", "api.example.com"]) {
      expect(certificate.checkHost(name)).toBe(name);
    }
    for (const ip of ["127.0.0.1", "10.96.0.1", "203.0.113.7", "::1"]) expect(certificate.checkIP(ip)).toBe(ip);
    expect(certificate.checkHost("elsewhere.example.com")).toBeUndefined();
  });

  test("lasts a year, its CA ten, and begins minutes ago for clocks that are behind", () => {
    const leaf = new X509Certificate(fresh.identity.apiserver.certificate);
    const ca = new X509Certificate(fresh.identity.ca.certificate);
    const { nowMs } = identityRequest;
    expect((Date.parse(leaf.validTo) - nowMs) / dayMs).toBeCloseTo(365, 1);
    expect((Date.parse(ca.validTo) - nowMs) / dayMs).toBeCloseTo(3650, 1);
    expect(nowMs - Date.parse(leaf.validFrom)).toBeGreaterThanOrEqual(5 * 60_000);
  });

  test("has keys in the forms that every Kubernetes reads", () => {
    expect(fresh.identity.ca.privateKey).toMatch(/^-----BEGIN EC PRIVATE KEY-----/);
    expect(openssl("ec", "-in", "sa.key", "-noout", "-text")).toContain("prime256v1");
    expectSigningPair(fresh, "EC");
  });

  test("has a service-account key of RSA for versions that may know no other, whatever was begun early", async () => {
    const { nowMs } = identityRequest;
    const spare = makeSpareIdentity(identityRequest, nowMs);
    const made = await makeIdentity({ ...identityRequest, serviceAccountKey: "rsa", spare });
    expectSigningPair(made, "RSA");
    const { publicKey } = made.identity.serviceAccount;
    expect(createPublicKey(publicKey).asymmetricKeyDetails).toMatchObject({ modulusLength: 2048 });
  });

  test("has kubeconfigs whose certificates the API server will know", () => {
    const ca = new X509Certificate(fresh.identity.ca.certificate);
    const subjects: Record<string, string> = {};
    for (const { path, content } of fresh.files.filter((file) => file.path.endsWith(".conf"))) {
      const { server, certificate, ca: embeddedCa } = readKubeconfig(content);
      expect(embeddedCa).toEqual({ data: fresh.identity.ca.certificate });
      expect(server).toBe("https://127.0.0.1:6443");
      const parsed = new X509Certificate(certificate && "data" in certificate ? certificate.data : "");
      expect(parsed.verify(ca.publicKey)).toBe(true);
      subjects[path.slice("/etc/kubernetes/".length)] = parsed.subject.replace("\n", ",");
    }
    expect(subjects).toEqual({
      "admin.conf": "O=system:masters,CN=kubernetes-admin",
      "controller-manager.conf": "CN=system:kube-controller-manager",
      "scheduler.conf": "CN=system:kube-scheduler",
      "kube-proxy.conf": "CN=system:kube-proxy",
      "addon-manager.conf": "O=system:masters,CN=tsdeploy:addon-manager",
      "kubelet.conf": "O=system:nodes,CN=system:node:master-1",
    });
  });

  test("is another one each time", async () => {
    const other = await makeIdentity(identityRequest);
    expect(caHash(other.identity.ca.certificate)).not.toBe(caHash(fresh.identity.ca.certificate));
  });
});

describe("an identity that is on the host", () => {
  test("is kept to the byte", async () => {
    const { files, made, identity } = await again({});
    expect(made).toEqual([]);
    expect(files).toEqual(fresh.files);
    expect(identity).toEqual(fresh.identity);
  });

  test("gets new certificates 90 days before they end, for the same keys", async () => {
    expect((await again({ nowMs: identityRequest.nowMs + 274 * dayMs })).made).toEqual([]);
    const { made, identity, files } = await again({ nowMs: identityRequest.nowMs + 276 * dayMs });
    expect(made).toHaveLength(5 + 6);
    expect(made[0]?.reason).toMatch(/^ends on 20/);
    expect(identity.ca).toEqual(fresh.identity.ca);
    expect(identity.serviceAccount).toEqual(fresh.identity.serviceAccount);
    expect(identity.apiserver.privateKey).toBe(fresh.identity.apiserver.privateKey);
    expect(identity.apiserver.certificate).not.toBe(fresh.identity.apiserver.certificate);
    const { certificate } = readKubeconfig(files.find(({ path }) => path.endsWith("/admin.conf"))?.content ?? "");
    expect(certificate).toEqual({ data: identity.admin.certificate });
  });

  test("does not renew for ever what ends with its CA", async () => {
    const nowMs = identityRequest.nowMs + 3600 * dayMs;
    const { files } = await again({ nowMs });
    const later = await again({ nowMs, existing: onHost(files) });
    expect(later.made).toEqual([]);
  });

  test("follows a changed address and changed names", async () => {
    const { made } = await again({ nodeIp: "10.0.0.9" });
    expect(made).toEqual([
      { path: `${pki}/apiserver.crt`, reason: "its names have changed: + 10.0.0.9" },
      { path: `${pki}/etcd/server.crt`, reason: "its names have changed: + 10.0.0.9" },
      {
        path: "/etc/kubernetes/admin.conf",
        reason: "its server was https://127.0.0.1:6443, not https://10.0.0.9:6443",
      },
    ]);
    const fewer = await again({ extraSans: ["API.example.com", "0:0:0:0:0:0:0:1"] });
    expect(fewer.made).toEqual([{ path: `${pki}/apiserver.crt`, reason: "its names have changed: - 203.0.113.7" }]);
    const renamed = await again({ nodeName: "master-2" });
    expect(renamed.made).toContainEqual({
      path: "/etc/kubernetes/kubelet.conf",
      reason: "was for O=system:nodes, CN=system:node:master-1, not O=system:nodes, CN=system:node:master-2",
    });
  });

  test("takes what was begun before the host was known, and makes anew what was guessed wrongly", async () => {
    const { nowMs } = identityRequest;
    const spare = makeSpareIdentity({ ...identityRequest, nodeIp: "127.0.0.1" }, nowMs);
    const begun = await spare.pairs;
    const { identity, made } = await makeIdentity({ ...identityRequest, nodeIp: "10.0.0.9", spare });
    expect(identity.ca).toEqual(begun?.authorities.ca);
    expect(identity.serviceAccount).toEqual(begun?.serviceAccount);
    expect(identity.admin).toEqual(begun?.kubeconfigs.admin.pair);
    const server = new X509Certificate(identity.apiserver.certificate);
    expect(server.subjectAltName).toContain("10.0.0.9");
    expect(server.verify(new X509Certificate(identity.ca.certificate).publicKey)).toBe(true);
    expect(made).toHaveLength(fresh.made.length);
    expect(new Set(made.map(({ reason }) => reason))).toEqual(new Set(["new"]));
  });

  test("takes nothing of it for a host that has an identity, or another time", async () => {
    const { nowMs } = identityRequest;
    const spare = makeSpareIdentity(identityRequest, nowMs);
    const begun = await spare.pairs;
    expect((await again({ spare })).identity).toEqual(fresh.identity);
    const { identity } = await makeIdentity({ ...identityRequest, nowMs: nowMs - 2 * 60 * 1000, spare });
    expect(identity.ca).not.toEqual(begun?.authorities.ca);
    expect(Date.parse(new X509Certificate(identity.ca.certificate).validFrom)).toBeLessThan(nowMs - 6 * 60 * 1000);
  });

  test("gets back what was lost", async () => {
    const { made, identity, files } = await again({}, (host) => {
      host.delete(`${pki}/apiserver.crt`);
      host.delete(`${pki}/etcd/server.key`);
      host.delete(`${pki}/sa.pub`);
      host.delete("/etc/kubernetes/scheduler.conf");
    });
    expect(made).toHaveLength(4);
    expect(made).toEqual(
      expect.arrayContaining([
        { path: `${pki}/apiserver.crt`, reason: "was missing" },
        { path: `${pki}/etcd/server.crt`, reason: "its key was missing" },
        { path: `${pki}/sa.pub`, reason: "was missing" },
        { path: "/etc/kubernetes/scheduler.conf", reason: "new" },
      ]),
    );
    expect(identity.apiserver.privateKey).toBe(fresh.identity.apiserver.privateKey);
    expect(identity.serviceAccount).toEqual(fresh.identity.serviceAccount);
    const server = files.filter(({ path }) => path.includes("/etcd/server."));
    const [key = "", certificate = ""] = server.map(({ content }) => content);
    expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))).toBe(true);
  });

  test("is completed after a write that was cut off anywhere", async () => {
    for (const written of [1, 9, 10, 12, 17, 21]) {
      const existing = onHost(fresh.files.slice(0, written));
      const { identity } = await makeIdentity({ ...identityRequest, existing });
      const ca = new X509Certificate(identity.ca.certificate);
      expect(identity.ca.privateKey).toBe(fresh.identity.ca.privateKey);
      expect(new X509Certificate(identity.apiserver.certificate).verify(ca.publicKey)).toBe(true);
    }
  });

  test("signs anew what another CA signed", async () => {
    const other = await makeIdentity(identityRequest);
    const { made } = await again({}, (host) => {
      for (const file of ["front-proxy-client.key", "front-proxy-client.crt"]) {
        host.set(`${pki}/${file}`, onHost(other.files).get(`${pki}/${file}`) ?? { content: "", mode: 0 });
      }
    });
    expect(made).toEqual([{ path: `${pki}/front-proxy-client.crt`, reason: "was not signed by this CA" }]);
  });

  test("takes an RSA CA that someone brought, to the bytes of its name", async () => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const key = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
    writeFileSync(join(root, "brought.key"), key);
    const subject = "/C=DE/O=Exämple & Söhne/CN=our-ca";
    const certificate = openssl("req", "-x509", "-utf8", "-key", join(root, "brought.key"), "-subj", subject, "-days", "99");
    writeFileSync(join(root, "brought.crt"), certificate);
    const existing = new Map([
      [`${pki}/ca.key`, { content: key, mode: 0o600 }],
      [`${pki}/ca.crt`, { content: certificate, mode: 0o644 }],
    ]);
    const { identity } = await makeIdentity({ ...identityRequest, existing });
    expect(identity.ca).toEqual({ privateKey: key, certificate });
    writeFileSync(join(root, "signed.crt"), identity.apiserver.certificate);
    expect(openssl("verify", "-CAfile", join(root, "brought.crt"), join(root, "signed.crt"))).toContain("OK");
    expect(Date.parse(new X509Certificate(identity.apiserver.certificate).validTo)).toBe(
      Date.parse(new X509Certificate(certificate).validTo),
    );
  });
});

describe("refuses", () => {
  test("to make a new CA or service-account key for etcd's data", async () => {
    const problems = await problemsOf(
      again({}, (host) => {
        for (const file of ["ca.key", "ca.crt", "sa.key", "etcd/ca.crt"]) host.delete(`${pki}/${file}`);
      }),
    );
    expect(problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      `CA_MISSING ${pki}/ca.key is missing while etcd holds a cluster's data`,
      `CA_MISSING ${pki}/ca.crt is missing while etcd holds a cluster's data`,
      `CA_MISSING ${pki}/etcd/ca.crt is missing while etcd holds a cluster's data`,
      `CA_MISSING ${pki}/sa.key is missing while etcd holds a cluster's data`,
    ]);
  });

  test("to overwrite a CA whose key is elsewhere", async () => {
    const problems = await problemsOf(again({ etcdData: false }, (host) => host.delete(`${pki}/ca.key`)));
    expect(problems).toMatchObject([{ code: "CA_MISSING" }]);
  });

  test("broken and mismatching files, all at once, without showing them", async () => {
    const other = onHost((await makeIdentity(identityRequest)).files);
    const problems = await problemsOf(
      again({}, (host) => {
        host.set(`${pki}/ca.key`, { content: "-----BEGIN EC PRIVATE KEY-----\nc2VjcmV0\n", mode: 0o600 });
        host.set(`${pki}/apiserver.crt`, other.get(`${pki}/apiserver.crt`) ?? { content: "", mode: 0 });
        host.set(`${pki}/sa.pub`, other.get(`${pki}/sa.pub`) ?? { content: "", mode: 0 });
        host.set("/etc/kubernetes/admin.conf", { content: "users: [c2VjcmV0", mode: 0o600 });
      }),
    );
    expect(problems.map(({ code, message }) => `${code} ${message}`)).toEqual([
      `PKI_BROKEN ${pki}/ca.key is not a private key in PEM`,
      `PKI_BROKEN ${pki}/sa.pub does not belong to ${pki}/sa.key`,
      `PKI_BROKEN ${pki}/apiserver.crt does not belong to ${pki}/apiserver.key`,
      "PKI_BROKEN /etc/kubernetes/admin.conf is not YAML",
    ]);
    expect(JSON.stringify(problems)).not.toContain("c2VjcmV0");
  });

  test("a CA that has ended, and a certificate in a CA's place", async () => {
    const nowMs = identityRequest.nowMs + 3651 * dayMs;
    expect((await problemsOf(again({ nowMs }))).map(({ code }) => code)).toContain("CA_EXPIRED");
    const { ca, apiserver } = fresh.identity;
    const validity = { notBeforeMs: identityRequest.nowMs, notAfterMs: identityRequest.nowMs + dayMs };
    const request = { commonName: "x", privateKey: ca.privateKey, usages: [], names: [], ...validity };
    const content = await makeCertificate({ ...request, issuer: { ...ca } });
    expect(apiserver.certificate).not.toBe(content);
    const problems = await problemsOf(again({}, (host) => host.set(`${pki}/ca.crt`, { content, mode: 0o644 })));
    expect(problems).toMatchObject([{ code: "PKI_BROKEN", message: `${pki}/ca.crt is not the certificate of a CA` }]);
  });
});
