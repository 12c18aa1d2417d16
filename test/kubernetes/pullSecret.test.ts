import { describe, expect, it } from "vitest";
import { pathOf } from "../../src/api/pathOf.js";
import { pullSecret, pullSecretPath, withPullSecret } from "../../src/kubernetes/pullSecret.js";

const login = { serveraddress: "lab:5000", username: "me", password: "pä:ss" };

describe("the Secret by which kubelets pull", () => {
  it("is as Docker's configuration file", () => {
    const { type, data } = pullSecret([login, { ...login, serveraddress: "https://index.docker.io/v1/" }]);
    const content = Buffer.from((data as Record<string, string>)[".dockerconfigjson"] ?? "", "base64").toString();
    const entry = { username: "me", password: "pä:ss", auth: Buffer.from("me:pä:ss").toString("base64") };
    expect(type).toBe("kubernetes.io/dockerconfigjson");
    expect(JSON.parse(content)).toEqual({ auths: { "lab:5000": entry, "https://index.docker.io/v1/": entry } });
  });

  it("is where it is looked for, and named by pods that are pulled by it", () => {
    const secret = pullSecret([login]);
    expect(pathOf(secret)).toBe(pullSecretPath);
    const pod = (spec: object) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "coredns", namespace: "kube-system" },
      spec: { replicas: 2, template: { metadata: { labels: {} }, spec: { volumes: [], ...spec } } },
    });
    expect(withPullSecret(pod({}))).toEqual(pod({ imagePullSecrets: [{ name: secret.metadata.name }] }));
  });
});
