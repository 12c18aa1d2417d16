import { beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { acceptedOptionsFile } from "../../src/config/acceptedOptions.js";
import {
  describeFixedToken,
  type FixedToken,
  fixedTokenOf,
  listFixedToken,
  refuseToRevoke,
} from "../../src/deploy/fixedToken.js";
import { paths } from "../../src/model/hostLayout.js";
import { formatJoinToken } from "../../src/pki/joinToken.js";
import { makeIdentity } from "../../src/pki/makeIdentity.js";
import { tokenFilePaths } from "../../src/pki/tokenFiles.js";
import { identityRequest, onHost } from "../pki/identityRequest.js";
import { masterOptions } from "../plan/fixtures.js";

let host: ReturnType<typeof onHost>;
let fixed: FixedToken;

const accepted = (k8sVersion: string): { content: string; mode: number } =>
  acceptedOptionsFile({ ...masterOptions, k8sVersion, ip: ["10.0.0.5"], nodeName: "master-1" });

beforeAll(async () => {
  const { files } = await makeIdentity({ ...identityRequest, nodeIp: "10.0.0.5", tokenFile: true });
  host = onHost(files);
  host.set(paths.options, accepted("v1.3.6"));
  const found = fixedTokenOf(host);
  if (!found) throw new Error("no token");
  fixed = found;
});

const withFile = (path: string, content: string): typeof host => new Map([...host, [path, { content, mode: 0o600 }]]);
const givingNothing = { given: new Set<string>() };

test("create gives the one line that a worker needs, and says that the token stays", () => {
  const { data, text, note } = describeFixedToken(fixed, givingNothing);
  const joinToken = formatJoinToken(fixed.token);
  expect(text).toBe(`tsdeploy worker --master 10.0.0.5 --token ${joinToken}`);
  expect(data).toEqual({ id: fixed.token.id, token: joinToken, expires: null, joinCommand: text, note });
  expect(note).toContain("does not end");
  expect(host.get(tokenFilePaths.knownTokens)?.content).toContain(`${fixed.token.id}.${fixed.token.secret},kubelet,`);
});

test("create refuses a life for it", () => {
  const create = (): unknown => describeFixedToken(fixed, { given: new Set(["tokenTtl"]) });
  expect(create).toThrow(/TOKEN_FIXED.*v1\.3\.6 cannot end by itself/);
});

test("list shows it without its secret", () => {
  const { data, text } = listFixedToken(fixed);
  expect(data).toMatchObject({ tokens: [{ id: fixed.token.id, expires: null }] });
  expect(text).toContain(`\n${fixed.token.id}  never ends`);
  expect(JSON.stringify(data) + text).not.toContain(fixed.token.secret);
});

test("revoke says how to replace it, and does not repeat it", () => {
  const revoke = (): never => refuseToRevoke(fixed, { id: formatJoinToken(fixed.token) });
  expect(revoke).toThrow(/TOKEN_FIXED.*cannot be revoked/);
  expect(revoke).not.toThrow(fixed.token.secret);
  expect(() => refuseToRevoke(fixed, { id: "000000" })).toThrow(/NO_SUCH_TOKEN/);
});

test("other versions, and hosts that are no master, have none", () => {
  expect(fixedTokenOf(withFile(paths.options, accepted("v1.6.0").content))).toBeUndefined();
  expect(fixedTokenOf(new Map())).toBeUndefined();
  const worker = withFile(paths.options, stringify({ k8sVersion: "v1.3.6" }));
  worker.delete(paths.adminConf);
  expect(fixedTokenOf(worker)).toBeUndefined();
});

test("a master whose file has none that a worker could use is told to make one", () => {
  expect(() => fixedTokenOf(withFile(tokenFilePaths.knownTokens, "x,admin,admin\n"))).toThrow(/TOKEN_MISSING/);
});
