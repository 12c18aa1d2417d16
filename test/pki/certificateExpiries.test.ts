import { expect, test } from "vitest";
import { certificateExpiries } from "../../src/pki/certificateExpiries.js";
import { makeIdentity } from "../../src/pki/makeIdentity.js";
import { identityRequest, onHost } from "./identityRequest.js";

test("tells when each certificate ends, CAs last, and passes over what is none", async () => {
  const { files } = await makeIdentity(identityRequest);
  const host = onHost(files);
  host.set("/etc/kubernetes/pki/broken.crt", { content: "nothing", mode: 0o644 });
  host.set("/etc/kubernetes/broken.conf", { content: "[", mode: 0o600 });
  host.set("/etc/kubernetes/worker.conf", { content: "clusters: []", mode: 0o600 });

  const expiries = certificateExpiries(host);

  expect(expiries).toHaveLength(8 + 6);
  expect(expiries.slice(-3).map(({ name }) => name).sort()).toEqual(["ca", "etcd/ca", "front-proxy-ca"]);
  const yearMs = 365 * 24 * 60 * 60 * 1000;
  const admin = expiries.find(({ name }) => name === "admin.conf");
  expect(admin).toMatchObject({
    path: "/etc/kubernetes/admin.conf",
    subject: "O=system:masters, CN=kubernetes-admin",
  });
  expect(Math.abs((admin?.notAfterMs ?? 0) - identityRequest.nowMs - yearMs)).toBeLessThan(1000);
});
