import { describe, expect, test } from "vitest";
import { abacPolicy, abacPolicyFor } from "../../src/pki/abacPolicy.js";

interface Policy {
  readonly apiVersion: string;
  readonly kind: string;
  readonly spec: Readonly<Record<string, string | boolean>>;
}

interface Question {
  readonly user: string;
  readonly groups?: readonly string[];
  readonly verb: string;
  readonly resource?: string;
  readonly apiGroup?: string;
  readonly path?: string;
}

function policies(text: string): Policy[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Policy);
}

/** As pkg/auth/authorizer/abac of v1.3 to v1.5 decides, for a namespace `default`. */
function allows(text: string, { user, groups = [], verb, resource, apiGroup = "", path }: Question): boolean {
  return policies(text).some(({ spec }) => {
    const { user: ofUser = "", group: ofGroup = "" } = spec;
    const one = (said: unknown, asked: string): boolean => said === "*" || (said ?? "") === asked;
    const subject =
      (ofUser !== "" || ofGroup !== "") &&
      (ofUser === "" || one(ofUser, user)) &&
      (ofGroup === "" || ofGroup === "*" || groups.includes(String(ofGroup)));
    const isVerb = spec["readonly"] !== true || ["get", "list", "watch"].includes(verb);
    const isObject =
      resource === undefined
        ? one(spec["nonResourcePath"] ?? "", path ?? "")
        : one(spec["resource"], resource) && one(spec["apiGroup"], apiGroup) && one(spec["namespace"], "default");
    return subject && isVerb && isObject;
  });
}

const policy = abacPolicy("master-1");

test("is one policy of v1beta1 a line", () => {
  expect(policies(policy).every(({ apiVersion }) => apiVersion === "abac.authorization.kubernetes.io/v1beta1")).toBe(true);
  expect(policies(policy).every(({ kind }) => kind === "Policy")).toBe(true);
  expect(policy.endsWith("\n")).toBe(true);
  expect(new Set(policy.split("\n")).size).toBe(policy.split("\n").length);
});

const accounts = (namespace: string): Pick<Question, "user" | "groups"> => ({
  user: `system:serviceaccount:${namespace}:default`,
  groups: ["system:serviceaccounts", `system:serviceaccounts:${namespace}`, "system:authenticated"],
});
const asked = {
  "get pods": { verb: "get", resource: "pods" },
  "delete pods": { verb: "delete", resource: "pods" },
  "get secrets": { verb: "get", resource: "secrets" },
  "create secrets": { verb: "create", resource: "secrets" },
  "update nodes": { verb: "update", resource: "nodes" },
  "create events": { verb: "create", resource: "events" },
  "watch services": { verb: "watch", resource: "services" },
  "create deployments": { verb: "create", resource: "deployments", apiGroup: "extensions" },
  "create subjectaccessreviews": {
    verb: "create",
    resource: "subjectaccessreviews",
    apiGroup: "authorization.k8s.io",
  },
  "get /version": { verb: "get", path: "/version" },
  "get /metrics": { verb: "get", path: "/metrics" },
} as const;
const everything = Object.keys(asked);
const kubelet = [
  ...["get pods", "delete pods", "get secrets", "update nodes", "create events", "watch services"],
  ...["create subjectaccessreviews", "get /version"],
];
const proxy = ["create events", "watch services", "get /version"];

test.each<[Pick<Question, "user" | "groups">, readonly string[]]>([
  [{ user: "kubernetes-admin" }, everything],
  [{ user: "admin" }, everything],
  [{ user: "tsdeploy:addon-manager" }, everything],
  [{ user: "system:kube-controller-manager" }, everything],
  [{ user: "system:kube-scheduler" }, everything],
  [accounts("kube-system"), everything],
  [accounts("default"), ["get /version"]],
  [accounts("kube-system-2"), ["get /version"]],
  [{ user: "kubelet" }, kubelet],
  [{ user: "system:node:master-1" }, kubelet],
  [{ user: "system:node:master-2" }, ["get /version"]],
  [{ user: "kube_proxy" }, proxy],
  [{ user: "system:kube-proxy" }, proxy],
  [{ user: "kube-apiserver-kubelet-client" }, ["update nodes", "get /version"]],
])("%j may do what is his, and nothing else", (who, allowed) => {
  const may = Object.entries(asked).filter(([, what]) => allows(policy, { ...who, ...what }));
  expect(may.map(([name]) => name)).toEqual(everything.filter((name) => allowed.includes(name)));
});

describe("a file that is on the host", () => {
  const edited = `# ours\n${policy.replace(/.*serviceaccounts:kube-system.*\n/, "")}{"user":"someone"}`;

  test("stays as its administrator has made it", () => {
    expect(abacPolicyFor("master-1", edited)).toBe(edited);
  });

  test("gets what another master's kubelet needs, and nothing else", () => {
    const renamed = abacPolicyFor("master-2", edited);
    expect(renamed.startsWith(`${edited}\n`)).toBe(true);
    const added = renamed.slice(edited.length + 1);
    expect(allows(added, { user: "system:node:master-2", verb: "update", resource: "nodes" })).toBe(true);
    expect(new Set(policies(added).map(({ spec }) => spec["user"]))).toEqual(new Set(["system:node:master-2"]));
    expect(abacPolicyFor("master-2", renamed)).toBe(renamed);
  });

  test("does not count what is commented out", () => {
    const commented = policy.replace(/^(.*system:node:master-1.*)$/gm, "# $1");
    expect(abacPolicyFor("master-1", commented)).not.toBe(commented);
  });
});
