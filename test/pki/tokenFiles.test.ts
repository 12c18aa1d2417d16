import { X509Certificate } from "node:crypto";
import { beforeAll, describe, expect, test } from "vitest";
import type { HostFile } from "../../src/model/hostFile.js";
import { caHash, formatJoinToken, parseJoinToken } from "../../src/pki/joinToken.js";
import { type MadeIdentity, makeIdentity } from "../../src/pki/makeIdentity.js";
import { fixedJoinToken, tokenFilePaths } from "../../src/pki/tokenFiles.js";
import { unmadeIdentity } from "../../src/pki/unmadeIdentity.js";
import { identityRequest, onHost } from "./identityRequest.js";

const classicRequest = { ...identityRequest, tokenFile: true };
const { knownTokens, abacPolicy, basicAuth } = tokenFilePaths;
let classic: MadeIdentity;

beforeAll(async () => {
  classic = await makeIdentity(classicRequest);
});

function fileOf({ files }: MadeIdentity, path: string): HostFile | undefined {
  return files.find((file) => file.path === path);
}

function certificatesIn(pem: string): X509Certificate[] {
  return (pem.match(/-----BEGIN[^-]*-----[^-]*-----END[^-]*-----/g) ?? []).map((one) => new X509Certificate(one));
}

describe("a fresh identity for versions that read tokens from a file", () => {
  test("has upstream's three users with tokens of their own, for the owner alone", () => {
    const file = fileOf(classic, knownTokens);
    expect(file).toMatchObject({ mode: 0o600, secret: true });
    const tokens = file?.content.match(/^[^,]+/gm);
    expect(new Set(tokens).size).toBe(3);
    expect(file?.content.replace(/^[^,]+/gm, "TOKEN")).toBe(
      'TOKEN,admin,admin,"system:masters"\n' +
        'TOKEN,kubelet,kubelet,"system:nodes"\n' +
        'TOKEN,kube_proxy,kube_proxy,"system:node-proxier"\n',
    );
    expect(tokens?.[1]).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
  });

  test("has a join token that is the kubelet's token and the CA's hash", () => {
    const { joinToken } = classic;
    expect(joinToken?.caHash).toBe(caHash(classic.identity.ca.certificate));
    expect(fileOf(classic, knownTokens)?.content).toContain(
      `\n${joinToken?.id ?? "?"}.${joinToken?.secret ?? "?"},kubelet,`,
    );
    expect(parseJoinToken(formatJoinToken(joinToken ?? { id: "", secret: "", caHash: "" }))).toEqual(joinToken);
  });

  test("shows the CA behind the API server's certificate, and only there", () => {
    const [leaf, ca, ...others] = certificatesIn(classic.identity.apiserver.certificate);
    expect(leaf?.subject).toBe("CN=kube-apiserver");
    expect(ca?.raw).toEqual(new X509Certificate(classic.identity.ca.certificate).raw);
    expect(others).toEqual([]);
    for (const { path, content } of classic.files.filter(({ path: name }) => name.endsWith(".crt"))) {
      expect(certificatesIn(content), path).toHaveLength(path.endsWith("/apiserver.crt") ? 2 : 1);
    }
  });

  test("has a policy, and passwords only where they are asked for", async () => {
    expect(fileOf(classic, abacPolicy)).toMatchObject({ mode: 0o644, secret: false });
    expect(fileOf(classic, abacPolicy)?.content).toContain('"system:node:master-1"');
    expect(fileOf(classic, basicAuth)).toBeUndefined();
    const open = await makeIdentity({ ...classicRequest, basicAuth: true });
    expect(fileOf(open, basicAuth)).toMatchObject({ mode: 0o600, secret: true });
    expect(fileOf(open, basicAuth)?.content).toMatch(/^[a-z0-9]{32},admin,admin\n$/);
  });

  test("has the files that a dry run names without making them", async () => {
    const request = { ...classicRequest, basicAuth: true };
    const { files } = await makeIdentity(request);
    const unmade = unmadeIdentity(request).map(({ path, mode }) => `${path} ${mode}`);
    expect(unmade.sort()).toEqual(files.map(({ path, mode }) => `${path} ${mode}`).sort());
  });

  test("is not made for other versions", async () => {
    const { files, joinToken, identity } = await makeIdentity(identityRequest);
    expect(files.filter(({ path }) => /csv|jsonl/.test(path))).toEqual([]);
    expect(joinToken).toBeUndefined();
    expect(certificatesIn(identity.apiserver.certificate)).toHaveLength(1);
  });
});

describe("on a host that has it already", () => {
  test("it is kept to the byte", async () => {
    const again = await makeIdentity({ ...classicRequest, existing: onHost(classic.files), etcdData: true });
    expect(again.made).toEqual([]);
    expect(again.files).toEqual(classic.files);
    expect(again.joinToken).toEqual(classic.joinToken);
  });

  test("an administrator's own tokens and policies are kept", async () => {
    const existing = onHost(classic.files);
    const tokens = 'x,me,me\nabcdef.0123456789abcdef,"kubelet",kubelet\n';
    const policy = '{"spec":{"user":"system:node:master-1"}}\n';
    existing.set(knownTokens, { content: tokens, mode: 0o600 });
    existing.set(abacPolicy, { content: policy, mode: 0o644 });
    const again = await makeIdentity({ ...classicRequest, existing });
    expect(again.made).toEqual([]);
    expect(fileOf(again, knownTokens)?.content).toBe(tokens);
    expect(fileOf(again, abacPolicy)?.content).toBe(policy);
    expect(again.joinToken).toMatchObject({ id: "abcdef", secret: "0123456789abcdef" });
  });

  test("a server certificate without the CA behind it is made anew, for the same key", async () => {
    const existing = onHost((await makeIdentity(identityRequest)).files);
    const key = existing.get("/etc/kubernetes/pki/apiserver.key")?.content;
    const { made, identity } = await makeIdentity({ ...classicRequest, existing });
    expect(made).toContainEqual({
      path: "/etc/kubernetes/pki/apiserver.crt",
      reason: "was without its CA's certificate",
    });
    expect(identity.apiserver.privateKey).toBe(key);
    expect(certificatesIn(identity.apiserver.certificate)).toHaveLength(2);
  });

  test("tokens that no worker could join by are refused, and not repeated", async () => {
    const existing = onHost(classic.files);
    existing.set(knownTokens, { content: "s3cret,admin,admin\ns3cret2,kubelet,kubelet\n", mode: 0o600 });
    const failure = makeIdentity({ ...classicRequest, existing });
    await expect(failure).rejects.toMatchObject({ kind: "conflict", problems: [{ code: "PKI_BROKEN" }] });
    await expect(failure).rejects.toThrow(`${knownTokens} has no token of user kubelet`);
    await expect(failure).rejects.not.toThrow("s3cret");
  });
});

test.each(["", "abcdef.0123456789abcdef,admin,admin", "0123456789abcdef,kubelet,kubelet", "\n,,\nkubelet"])(
  "no join token comes of %j",
  (text) => {
    expect(fixedJoinToken(text, classic.identity.ca.certificate)).toBeUndefined();
  },
);
