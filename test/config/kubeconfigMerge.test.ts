import { beforeAll, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { mergeKubeconfig, removeFromKubeconfig } from "../../src/config/kubeconfigMerge.js";
import { readKubeconfig, withServer } from "../../src/kubernetes/kubeconfig.js";
import { makeIdentity } from "../../src/pki/makeIdentity.js";
import { identityRequest, onHost } from "../pki/identityRequest.js";

let admin: string;
/** The same cluster's after its certificates were renewed. */
let renewed: string;
/** Another cluster's of the same name and address. */
let stranger: string;

beforeAll(async () => {
  const first = await makeIdentity(identityRequest);
  const host = onHost(first.files);
  const text = (files: ReturnType<typeof onHost>): string => files.get("/etc/kubernetes/admin.conf")?.content ?? "";
  admin = text(host);
  const nowMs = identityRequest.nowMs + 300 * 24 * 60 * 60 * 1000;
  renewed = text(onHost((await makeIdentity({ ...identityRequest, existing: host, nowMs })).files));
  stranger = text(onHost((await makeIdentity(identityRequest)).files));
  expect(renewed).not.toBe(admin);
});

const merge = (existing: string | undefined, kubeconfig: string): ReturnType<typeof mergeKubeconfig> =>
  mergeKubeconfig(existing, "lab", kubeconfig, "lab");

const people = `# my clusters
apiVersion: v1
kind: Config
clusters:
  - name: work # do not touch
    cluster:
      server: https://work.example.com
      insecure-skip-tls-verify: true
contexts:
  - name: work
    context: {cluster: work, user: me, namespace: team}
current-context: work
users:
  - name: me
    user:
      exec: {apiVersion: client.authentication.k8s.io/v1, command: login, args: [--long, "${"x".repeat(100)}"]}
x-notes: [a, b]
`;

describe("merging", () => {
  test.each([[undefined], [""], ["# nothing yet\n"], ["apiVersion: v1\nclusters: null\ncontexts: []\nkind: Config\nusers: []\n"]])(
    "into %j gives a whole kubeconfig",
    (existing) => {
      const merged = merge(existing, admin);
      expect(merged.context).toBe("lab");
      expect(merged).not.toHaveProperty("previousContext");
      expect(parse(merged.text)).toMatchObject({ apiVersion: "v1", kind: "Config", "current-context": "lab" });
      expect(readKubeconfig(merged.text)).toEqual({ ...readKubeconfig(admin), context: "lab" });
      expect(merged.text).not.toContain("[ {");
      if (existing?.startsWith("#")) expect(merged.text).toContain("# nothing yet");
    },
  );

  test("takes the entries of a cluster that has moved along, and of no other", () => {
    const server = readKubeconfig(admin).server;
    const elsewhere = withServer(admin, "https://10.0.0.77:6443");
    const before = merge(people, admin).text;
    const moved = mergeKubeconfig(before, "lab", elsewhere, "lab", server);
    expect(moved.context).toBe("lab");
    expect(readKubeconfig(moved.text, "lab").server).toBe("https://10.0.0.77:6443");
    expect(parse(moved.text)).toMatchObject({ clusters: [{ name: "work" }, { name: "lab" }] });
    expect(mergeKubeconfig(before, "lab", elsewhere, "lab").context).toBe("lab-2");
    expect(mergeKubeconfig(before, "lab", withServer(stranger, "https://10.0.0.77:6443"), "lab", server).context).toBe("lab-2");
  });

  test("leaves other people's lines as they are and tells what was current", () => {
    const merged = merge(people, admin);
    expect(merged.previousContext).toBe("work");
    for (const line of people.split("\n").filter((text) => !text.startsWith("current-context"))) {
      expect(merged.text).toContain(`${line}\n`);
    }
    const before = parse(people) as Record<string, unknown[]>;
    const after = parse(merged.text) as Record<string, unknown[]>;
    for (const section of ["clusters", "contexts", "users"]) {
      expect(after[section]?.[0]).toEqual(before[section]?.[0]);
      expect(after[section]).toHaveLength(2);
    }
    expect(after["x-notes"]).toEqual(["a", "b"]);
    expect(readKubeconfig(merged.text, "work").server).toBe("https://work.example.com");
  });

  test("twice changes nothing", () => {
    const once = merge(people, admin).text;
    expect(merge(once, admin)).toEqual({ text: once, context: "lab" });
  });

  test("renewed certificates replaces them and keeps what a person added", () => {
    const edited = merge(people, admin).text.replace("cluster: lab", "cluster: lab\n      namespace: mine");
    const merged = merge(edited, renewed);
    expect(merged.context).toBe("lab");
    expect(readKubeconfig(merged.text).certificate).toEqual(readKubeconfig(renewed).certificate);
    expect(merged.text).toContain("namespace: mine");
    expect((parse(merged.text) as { users: unknown[] }).users).toHaveLength(2);
  });

  test("another cluster of the same name gets another name", () => {
    const merged = merge(merge(undefined, admin).text, stranger);
    expect(merged).toMatchObject({ context: "lab-2", previousContext: "lab" });
    expect(readKubeconfig(merged.text, "lab")).toEqual({ ...readKubeconfig(admin), context: "lab" });
    expect(readKubeconfig(merged.text)).toEqual({ ...readKubeconfig(stranger), context: "lab-2" });
    expect(merge(merged.text, stranger).text).toBe(merged.text);
  });

  test("a context of the same name for something else is not ours to change", () => {
    const merged = mergeKubeconfig(people, "lab", admin, "work");
    expect(merged.context).toBe("work-2");
    expect(readKubeconfig(merged.text, "work").server).toBe("https://work.example.com");
  });

  test.each([
    ["a: [", /KUBECONFIG_BROKEN.* line 1/],
    ["just text", /KUBECONFIG_BROKEN.*is not a map/],
    ["clusters: {a: b}", /KUBECONFIG_BROKEN.*list in clusters/],
  ])("refuses %j", (text, message) => {
    expect(() => merge(text, admin)).toThrow(message);
  });

  test("refuses what is broken without showing it", () => {
    const secret = "client-key-data: c2VjcmV0\nclient-key-data: c2VjcmV0: x\n\t- [";
    expect(() => merge(secret, admin)).toThrow(/^(?!.*c2VjcmV0).*KUBECONFIG_BROKEN/s);
  });
});

describe("removing", () => {
  test("undoes the merge but for the current context", () => {
    const removed = removeFromKubeconfig(merge(people, admin).text, admin);
    expect(parse(removed ?? "")).toEqual({ ...(parse(people) as object), "current-context": "" });
    expect(removed).toContain("# do not touch");
  });

  test("takes only the cluster whose server and CA these are", () => {
    const both = merge(merge(people, admin).text, stranger).text;
    const removed = removeFromKubeconfig(both, admin) ?? "";
    expect(() => readKubeconfig(removed, "lab")).toThrow("has no context lab");
    expect(readKubeconfig(removed)).toEqual({ ...readKubeconfig(stranger), context: "lab-2" });
    expect(removeFromKubeconfig(removed, admin)).toBeUndefined();
    expect(removeFromKubeconfig(people, admin)).toBeUndefined();
  });

  test("finds it under whatever name, and keeps a user that other contexts use", () => {
    const text = merge(people, admin)
      .text.replace("name: lab\n", "name: renamed\n")
      .replace("{cluster: work, user: me,", "{cluster: work, user: lab-admin,");
    const contexts = text.replace("cluster: lab\n", "cluster: renamed\n");
    const removed = parse(removeFromKubeconfig(contexts, admin) ?? "") as { users: { name: string }[] };
    expect(removed.users.map(({ name }) => name)).toEqual(["me", "lab-admin"]);
    expect(removed).toMatchObject({ clusters: [{ name: "work" }], contexts: [{ name: "work" }] });
  });
});
