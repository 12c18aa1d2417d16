import "reflect-metadata";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { SubjectKeyIdentifierExtension, X509Certificate } from "@peculiar/x509";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { makeCertificate } from "../../src/pki/makeCertificate.js";
import { type IdentityRequest, type MadeIdentity, makeIdentity } from "../../src/pki/makeIdentity.js";
import { fewScenariosOf, renderPods } from "../kubernetes/renderings.js";
import { runScript } from "../scripts/pod/runScript.js";
import { identityRequest } from "./identityRequest.js";

/*
 * Identities are made by `tsdeploy master` (src/pki) and by the control plane's own pod (setup-files.sh), and each goes
 * on from what the other has made.
 */

type Host = Map<string, { content: string; mode: number }>;

const pki = "/etc/kubernetes/pki";
const dayMs = 24 * 60 * 60 * 1000;
const leaves = [
  "apiserver",
  "apiserver-kubelet-client",
  "apiserver-etcd-client",
  "etcd/server",
  "front-proxy-client",
] as const;
const authorities = ["ca", "etcd/ca", "front-proxy-ca"] as const;

// Dozens of calls of openssl.
vi.setConfig({ testTimeout: 60_000 });

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsdeploy-both-"));
});
afterEach(() => rm(folder, { recursive: true }));

/** The node that `renderPods` renders for. */
function requestFor(version: string, existing: Host): IdentityRequest {
  const { nodeCredentials, serviceAccountKey } = featuresOf(version);
  const tokenFile = nodeCredentials === "token-file";
  const node = { nodeName: "node-1", nodeIp: "10.0.0.5", serviceIp: "10.96.0.1", tokenFile, serviceAccountKey };
  return { ...identityRequest, ...node, existing, nowMs: Date.now() };
}

/** Runs setup-files.sh with what the manifest says, on a host with these files. @returns all files then */
async function setup(version: string, host: Host = new Map()): Promise<Host> {
  const features = featuresOf(version);
  const scenario = fewScenariosOf(features).find(({ role, insecureApi }) => role === "master" && !insecureApi);
  if (!scenario) throw new Error(`no master of ${version}`);
  const containers = renderPods(features, scenario).flatMap(({ spec }) => spec.containers);
  const command = containers.find(({ name }) => name === "setup")?.command ?? [];
  expect(command[0]).toMatch(/setup-files\.sh$/);

  await rm(join(folder, "pki"), { recursive: true, force: true });
  for (const [path, { content, mode }] of host) {
    const file = join(folder, "pki", path.slice(pki.length));
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content, { mode });
  }
  const folders = ["pki", "data", "etcd"].flatMap((name) => [`--${name}`, join(folder, name)]);
  expect(await runScript("setup-files", "--once", ...folders, ...command.slice(1))).toMatchObject({ code: 0, stderr: "" });
  return read();
}

async function read(): Promise<Host> {
  const entries = await readdir(join(folder, "pki"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      files.map(async (file) => {
        const path = pki + file.slice(join(folder, "pki").length);
        return [path, { content: await readFile(file, "utf8"), mode: (await stat(file)).mode & 0o7777 }] as const;
      }),
    ),
  );
}

/** Files of the PKI; the script makes no kubeconfigs. */
function pkiOf({ files }: MadeIdentity): Host {
  return new Map(
    files.filter(({ path }) => path.startsWith(pki)).map(({ path, content, mode }) => [path, { content, mode }]),
  );
}

function madeInPki({ made }: MadeIdentity) {
  return made.filter(({ path }) => path.startsWith(pki));
}

/** The policy is the launcher's alone; without one there are no tokens. */
function policyOf(host: Host): Host {
  return new Map([...host].filter(([path]) => path.endsWith("abac-policy.jsonl")));
}

const issuerOf: Readonly<Record<string, string>> = {
  "apiserver-etcd-client": "etcd/ca",
  "etcd/server": "etcd/ca",
  "front-proxy-client": "front-proxy-ca",
  ...Object.fromEntries(authorities.map((name) => [name, name])),
};

function certificateOf(host: Host, name: string): { certificate: X509Certificate; more: number; mode: number } {
  const { content, mode } = host.get(`${pki}/${name}.crt`) ?? { content: "", mode: 0 };
  const [first = "", ...more] = content.match(/-----BEGIN[^]*?-----END CERTIFICATE-----\n/g) ?? [];
  expect(content, name).toBe([first, ...more].join(""));
  return { certificate: new X509Certificate(first), more: more.length, mode };
}

/** All of a certificate and its key that is a matter of rules, and not of random numbers and the clock. */
async function fieldsOf(host: Host, name: string) {
  const { certificate, more, mode } = certificateOf(host, name);
  const ca = certificateOf(host, issuerOf[name] ?? "ca").certificate;
  const [ownId, caId] = await Promise.all(
    [certificate, ca].map(async ({ publicKey }) => (await SubjectKeyIdentifierExtension.create(publicKey)).keyId),
  );
  const extensions = certificate.extensions.map((one) => {
    const value = Buffer.from(one.value).toString("hex").replace(ownId ?? "", "(own key)").replace(caId ?? "", "(CA's key)");
    return `${one.type}${one.critical ? " critical" : ""}: ${value}`;
  });
  const key = host.get(`${pki}/${name}.key`) ?? { content: "", mode: 0 };
  const { asymmetricKeyType, asymmetricKeyDetails } = createPrivateKey(key.content);
  return {
    subject: Buffer.from(certificate.subjectName.toArrayBuffer()).toString("hex"),
    issuer: Buffer.from(certificate.issuerName.toArrayBuffer()).toString("hex"),
    signature: certificate.signatureAlgorithm,
    lifetimeMs: certificate.notAfter.getTime() - certificate.notBefore.getTime(),
    backdatedMinutes: Math.round((Date.now() - certificate.notBefore.getTime()) / 60_000),
    extensions: extensions.sort(),
    certificateMode: mode,
    certificatesBehind: more,
    serialBytes: certificate.serialNumber.length > 24 ? "16" : certificate.serialNumber,
    keyMode: key.mode,
    keyForm: key.content.split("\n")[0],
    asymmetricKeyType,
    asymmetricKeyDetails,
  };
}

/** v1.36 has tokens in the cluster, v1.5 in files. */
describe.each(["v1.36.2", "v1.5.8"])("an identity of %s", (version) => {
  let ours: Host;

  beforeAll(async () => {
    ours = pkiOf(await makeIdentity(requestFor(version, new Map())));
  });

  test("that setup-files.sh made is the same, field by field, and taken as it is by `tsdeploy master`", async () => {
    const theirs = await setup(version, policyOf(ours));
    expect([...theirs.keys()].sort()).toEqual([...ours.keys()].sort());
    for (const name of [...authorities, ...leaves]) {
      expect(await fieldsOf(theirs, name), name).toEqual(await fieldsOf(ours, name));
    }
    const modes = (host: Host): unknown[] => [...host].map(([path, { mode }]) => [path, mode]).sort();
    expect(modes(theirs)).toEqual(modes(ours));
    const forms = (host: Host): unknown[] =>
      ["sa.key", "sa.pub"].map((name) => host.get(`${pki}/${name}`)?.content.split("\n")[0]);
    expect(forms(theirs)).toEqual(forms(ours));

    const taken = await makeIdentity(requestFor(version, theirs));
    expect(madeInPki(taken)).toEqual([]);
    expect(pkiOf(taken)).toEqual(theirs);
  });

  test("that `tsdeploy master` made is taken as it is by setup-files.sh", async () => {
    expect(await setup(version, ours)).toEqual(ours);
  });

  // Where an API server's certificate goes on with its CA's, that one cannot be replaced alone.
  const lost = version === "v1.5.8" ? leaves : [...leaves, ...authorities];
  test.each(lost)("that lost %s.crt is completed by either for the other", async (name) => {
    const made = new Map(ours);
    made.delete(`${pki}/${name}.crt`);
    // A new certificate of a CA has the old key: what it signed stays good.
    const completed = await setup(version, made);
    const taken = await makeIdentity(requestFor(version, completed));
    expect(madeInPki(taken)).toEqual([]);
    expect(pkiOf(taken)).toEqual(completed);
  });
});

test("a certificate ends with its CA, whoever makes it", async () => {
  const made = pkiOf(await makeIdentity(requestFor("v1.36.2", new Map())));
  const privateKey = made.get(`${pki}/ca.key`)?.content ?? "";
  const validity = { notBeforeMs: Date.now() - dayMs, notAfterMs: Date.now() + 30 * dayMs };
  const content = await makeCertificate({ commonName: "kubernetes-ca", privateKey, usages: [], names: [], ...validity });
  const host: Host = new Map([...made, [`${pki}/ca.crt`, { content, mode: 0o644 }]]);
  host.delete(`${pki}/apiserver.crt`);
  const completed = await setup("v1.36.2", host);
  const [ca, leaf] = ["ca", "apiserver"].map((name) => certificateOf(completed, name).certificate.notAfter);
  expect(leaf).toEqual(ca);
  const { made: again } = await makeIdentity(requestFor("v1.36.2", completed));
  expect(again.filter(({ path }) => path === `${pki}/apiserver.crt`)).toEqual([]);
});

test("an RSA key that somebody brought may encipher keys, whoever makes its certificate", async () => {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const content = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const brought = new Map([[`${pki}/apiserver.key`, { content, mode: 0o600 }]]);
  const theirs = await setup("v1.36.2", brought);
  const ours = pkiOf(await makeIdentity(requestFor("v1.36.2", brought)));
  expect(await fieldsOf(theirs, "apiserver")).toEqual(await fieldsOf(ours, "apiserver"));
});
