import { execSync } from "node:child_process";
import { beforeAll, describe, expect, test } from "vitest";
import { TsdeployError } from "../../src/model/errors.js";
import { bootstrapToken, caHash, formatJoinToken, makeJoinToken, parseJoinToken } from "../../src/pki/joinToken.js";
import { makeIdentity } from "../../src/pki/makeIdentity.js";
import { identityRequest } from "./identityRequest.js";

let caPem: string;

beforeAll(async () => {
  caPem = (await makeIdentity(identityRequest)).identity.ca.certificate;
});

test("a token is one string that survives being copied with white space around it", () => {
  const token = makeJoinToken(caPem);
  expect(parseJoinToken(` ${formatJoinToken(token)}\n`)).toEqual(token);
  expect(bootstrapToken(token)).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
  expect(makeJoinToken(caPem).secret).not.toBe(token.secret);
});

test("the CA hash is what kubeadm's documentation tells to compute", () => {
  const command = "openssl x509 -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -hex";
  expect(execSync(command, { input: caPem, encoding: "utf8" })).toContain(caHash(caPem));
});

describe("a malformed token is refused without being repeated", () => {
  test.each([
    ["", "is not of the form"],
    ["abcdef.0123456789abcdef", "has no CA hash"],
    [`abcdef.0123456789abcdef.${"0".repeat(63)}`, "is not of the form"],
    [`ABCDEF.0123456789abcdef.${"0".repeat(64)}`, "is not of the form"],
    [`abcdef.0123456789abcdef.${"0".repeat(64)}.x`, "is not of the form"],
  ])("%s", (text, reason) => {
    const thrown = (() => {
      try {
        parseJoinToken(text);
      } catch (error) {
        return error;
      }
      return undefined;
    })();
    expect(thrown).toBeInstanceOf(TsdeployError);
    expect(thrown).toMatchObject({ kind: "usage", problems: [{ code: "TOKEN_MALFORMED" }] });
    const shown = JSON.stringify((thrown as TsdeployError).problems);
    expect(shown).toContain(reason);
    expect(shown).not.toContain("0123456789abcdef");
  });
});
