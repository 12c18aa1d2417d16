import { describe, expect, it } from "vitest";
import type { RegistryAuth } from "../../src/docker/registryAuth.js";
import { pullLogins } from "../../src/image/pullLogins.js";
import { TsdeployError } from "../../src/model/errors.js";

const login = (serveraddress: string) => ({ serveraddress, username: "me", password: "secret" });
const hub = "https://index.docker.io/v1/";
const known: Readonly<Record<string, RegistryAuth | Error>> = {
  "lab:5000": login("lab:5000"),
  "docker.io": login(hub),
  "registry.k8s.io": login("registry.k8s.io"),
  "token.lab": { serveraddress: "token.lab", identitytoken: "secret" },
  "locked.lab": new Error("the keychain is locked"),
  "broken.lab": new TsdeployError("usage", { code: "DOCKER_CONFIG_INVALID", message: "no JSON", hint: "Look." }),
};

async function logins(images: readonly string[], registry?: string, registryMirrors: Record<string, string> = {}) {
  const asked: string[] = [];
  const result = await pullLogins(images, { registry, registryMirrors }, async (name) => {
    asked.push(name);
    const auth = known[name];
    return auth instanceof Error ? Promise.reject(auth) : Promise.resolve(auth);
  });
  return { ...result, asked };
}

describe("logins of kubelets", () => {
  it("are the operator's at the cluster's registry and its mirrors, as far as pods are pulled from there", async () => {
    const images = ["lab:5000/k8s/coredns:1", "docker.io/own/metrics:1"];
    const mirrors = { "quay.io": "docker.io/own", "gcr.io": "nobody.lab" };
    expect((await logins(images, "lab:5000/k8s", mirrors)).logins).toEqual([login("lab:5000"), login(hub)]);
    expect((await logins(images, "lab:5000/k8s")).logins).toEqual([login("lab:5000")]);
  });

  it("are not those that nobody has named for the cluster", async () => {
    const { asked } = await logins(["registry.k8s.io/coredns/coredns:v1", "docker.io/flannel/flannel:v1"]);
    expect(asked).toEqual([]);
  });

  it("are none where all is on the nodes already, or where anybody may pull", async () => {
    expect((await logins([], "lab:5000")).asked).toEqual([]);
    expect(await logins(["open.lab/coredns:1"], "open.lab")).toMatchObject({ logins: [], warnings: [] });
  });

  it("that kubelets could not use, or that cannot be read, are told without the secret", async () => {
    const { logins: found, warnings } = await logins(["token.lab/a:1", "locked.lab/b:1"], "token.lab", {
      "quay.io": "locked.lab",
    });
    expect(found).toEqual([]);
    expect(warnings).toEqual([
      expect.stringMatching(/from token\.lab without credentials: .*token/),
      expect.stringMatching(/from locked\.lab without credentials: the keychain is locked/),
    ]);
    expect(warnings.join()).not.toContain("secret");
  });

  it("cannot be told of a configuration that is broken", async () => {
    await expect(logins(["broken.lab/a:1"], "broken.lab")).rejects.toThrow("DOCKER_CONFIG_INVALID");
  });
});
