import { describe, expect, it } from "vitest";
import { paths } from "../../src/model/hostLayout.js";
import { handOverOf, openHandOver, sealHandOver } from "../../src/pki/handOver.js";
import { formatMasterToken, parseJoinToken, parseMasterToken, withKey } from "../../src/pki/joinToken.js";

const joinToken = { id: "abcdef", secret: "0123456789abcdef", caHash: "a".repeat(64) };
const shared = ["ca", "front-proxy-ca", "etcd/ca"].flatMap((name) => [`${name}.key`, `${name}.crt`]);
const names = [...shared, "sa.key", "sa.pub"].map((name) => `${paths.pki}/${name}`);
const files = new Map(
  [...names, paths.options, `${paths.pki}/apiserver.key`].map((path) => [path, { content: `secret of ${path}`, mode: 0o600 }]),
);

describe("what a further master gets of another one", () => {
  it("is what masters share, and comes back by its token alone", () => {
    const token = withKey(joinToken);
    const sealed = sealHandOver(handOverOf(files), token);
    const opened = openHandOver(sealed, token);
    expect([...opened.files.keys()].sort()).toEqual([...names].sort());
    expect(opened.files.get(`${paths.pki}/ca.key`)).toBe(`secret of ${paths.pki}/ca.key`);
    expect(opened.options).toBe(`secret of ${paths.options}`);
    expect(Buffer.from(sealed, "base64").toString("latin1")).not.toContain("secret of");
  });

  it("is the same no second time it is sealed", () => {
    const token = withKey(joinToken);
    expect(sealHandOver(handOverOf(files), token)).not.toBe(sealHandOver(handOverOf(files), token));
  });

  it.each([
    ["another key", { ...withKey(joinToken) }],
    ["another token's id", undefined],
  ])("is refused with %s", (_, other) => {
    const token = withKey(joinToken);
    const sealed = sealHandOver(handOverOf(files), token);
    expect(() => openHandOver(sealed, other ?? { ...token, id: "zzzzzz" })).toThrow("TOKEN_REFUSED");
  });

  it("is refused when a byte of it was changed, or it was cut off", () => {
    const token = withKey(joinToken);
    const bytes = Buffer.from(sealHandOver(handOverOf(files), token), "base64");
    const changed = Buffer.from(bytes);
    changed[20] = (changed[20] ?? 0) ^ 1;
    for (const broken of [changed, bytes.subarray(0, 40), Buffer.alloc(0)]) {
      expect(() => openHandOver(broken.toString("base64"), token)).toThrow("TOKEN_REFUSED");
    }
  });

  it("names what the host lacks", () => {
    const less = new Map([...files].filter(([path]) => !path.endsWith("front-proxy-ca.key")));
    expect(() => handOverOf(less)).toThrow("front-proxy-ca.key is not on this host");
  });
});

describe("a token for masters", () => {
  it("is one string, which is read back as it was", () => {
    const token = withKey(joinToken);
    expect(parseMasterToken(` ${formatMasterToken(token)}\n`)).toEqual(token);
    expect(withKey(joinToken).key).not.toBe(token.key);
  });

  it("is not a worker's, nor the other way round, and no error repeats it", () => {
    const token = formatMasterToken(withKey(joinToken));
    const worker = `${joinToken.id}.${joinToken.secret}.${joinToken.caHash}`;
    for (const parse of [() => parseMasterToken(worker), () => parseJoinToken(token)]) {
      expect(parse).toThrow("TOKEN_MALFORMED");
      expect(parse).not.toThrow(joinToken.secret);
    }
  });
});
