import { describe, expect, test } from "vitest";
import * as releaseTable from "../../src/kubernetes/releaseTable.js";
import { versionOverview } from "../../src/kubernetes/versionOverview.js";
import {
  checkAnonymousAuth,
  checkInsecureApi,
  defaultVersion,
  featuresOf,
  resolveVersion,
  supportedMinors,
} from "../../src/kubernetes/versions.js";
import { checkSkew } from "../../src/kubernetes/versionSkew.js";
import * as versionTable from "../../src/kubernetes/versionTable.js";
import { TsdeployError } from "../../src/model/errors.js";

function errorOf(action: () => unknown): TsdeployError {
  try {
    action();
  } catch (error) {
    if (error instanceof TsdeployError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("a version", () => {
  test.each(["1.20.2", "v1.20.2", " v1.20.2 "])("may be written as %s", (text) => {
    expect(resolveVersion(text)).toBe("v1.20.2");
  });

  test.each(["", "1.20", "latest", "v1.20.x", "one", "vv1.20.2", "1.20.2; rm"])("may not be written as %j", (text) => {
    expect(() => resolveVersion(text)).toThrow("VERSION_MALFORMED");
  });

  test.each(["v1.3.0", "v1.3.0-beta.1", "v1.6.0-beta.3", "v1.19.16", "v1.36.99", "v1.36.0-alpha.1"])(
    "%s is supported",
    (version) => {
      expect(featuresOf(version).version).toBe(version);
    },
  );

  test.each([
    ["v1.2.7", "v1.3"],
    ["v0.18.0", "v1.3"],
    ["v1.37.0", "v1.36"],
    ["v1.37.0-alpha.1", "v1.36"],
    ["v2.0.0", "v1.36"],
  ])("%s is refused, with the nearest that is supported", (version, nearest) => {
    const { kind, problems } = errorOf(() => resolveVersion(version));
    expect(kind).toBe("usage");
    expect(problems).toMatchObject([{ code: "VERSION_UNSUPPORTED" }]);
    expect(problems[0]?.message).toContain("v1.3 - v1.36");
    expect(problems[0]?.hint).toContain(`nearest that is supported is ${nearest}`);
    const named = /v1\.\d+(\.\d+)?/.exec(problems[0]?.hint ?? "")?.[0] ?? "";
    expect(() => resolveVersion(named.split(".").length === 3 ? named : `${named}.0`)).not.toThrow();
  });

  test("says whether it was tried", () => {
    expect(featuresOf("v1.20.2").tried).toBe(true);
    expect(featuresOf("v1.20.15").tried).toBe(false);
  });

  test("that is not named is a supported one", () => {
    expect(resolveVersion(defaultVersion)).toBe(defaultVersion);
  });

  test("is looked up once", () => {
    expect(featuresOf("1.20.2")).toBe(featuresOf("v1.20.2"));
  });
});

describe("a pre-release is on its own side of a boundary", () => {
  test.each([
    ["v1.5.8", "token-file"],
    ["v1.6.0-alpha.1", "bootstrap-token"],
    ["v1.6.0-beta.3", "bootstrap-token"],
  ])("%s has a %s", (version, credentials) => {
    expect(featuresOf(version).nodeCredentials).toBe(credentials);
  });

  test.each([
    ["v1.23.17", "dockershim"],
    ["v1.24.0-rc.0", "cri-dockerd"],
  ])("%s has %s", (version, runtime) => {
    expect(featuresOf(version).runtime).toBe(runtime);
  });
});

test.each([
  ...["v1.3.6", "v1.16.10", "v1.17.0-rc.1", "v1.17.6", "v1.18.3"].map((version) => [version, false] as const),
  ...["v1.16.11", "v1.16.15", "v1.17.7", "v1.18.4", "v1.19.0", "v1.36.2"].map((version) => [version, true] as const),
])("the kubelet of %s protects loopback: %s", (version, protects) => {
  expect(featuresOf(version).kubeletProtectsLoopback).toBe(protects);
});

describe("the version table", () => {
  const tables = Object.entries({
    ...versionTable,
    ...releaseTable,
    ...versionTable.apiVersions,
    supportedRanges: versionTable.supportedRanges,
  }).flatMap(([name, table]) =>
    Array.isArray(table) ? [{ name, ranges: (table as { range: string }[]).map(({ range }) => range) }] : [],
  );

  test("is many tables", () => {
    expect(tables.length).toBeGreaterThan(20);
  });

  test.each(tables)("$name has one row for each version", ({ ranges }) => {
    for (const version of supportedMinors()) {
      expect(ranges.filter((range) => supportedMinors(range).includes(version)), version).toHaveLength(1);
    }
  });

  test("goes from v1.3 to v1.36", () => {
    const minors = supportedMinors();
    expect([minors[0], minors.at(-1), minors.length]).toEqual(["v1.3", "v1.36", 34]);
  });

  test("has an etcd with the API that the version stores by", () => {
    for (const name of supportedMinors()) {
      const { etcdApi, images, components } = featuresOf(`${name}.0`);
      const releases = [components.etcd, images.etcd.replace("etcd:", "")];
      for (const release of releases) expect(etcdApi === "v3" || release.startsWith("3.5."), name).toBe(true);
    }
  });

  test("has cri-dockerd where there is no dockershim", () => {
    for (const name of supportedMinors()) {
      const { runtime, components } = featuresOf(`${name}.0`);
      expect(components.criDockerd !== undefined, name).toBe(runtime === "cri-dockerd");
    }
  });
});

describe("the insecure port", () => {
  test.each(["v1.3.6", "v1.19.16"])("can be opened in %s", (version) => {
    expect(() => { checkInsecureApi({ insecureApi: true }, featuresOf(version)); }).not.toThrow();
  });

  test.each(["v1.20.2", "v1.36.2"])("cannot in %s", (version) => {
    expect(() => { checkInsecureApi({ insecureApi: false }, featuresOf(version)); }).not.toThrow();
    expect(() => { checkInsecureApi({ insecureApi: true }, featuresOf(version)); }).toThrow(
      /INSECURE_API_UNSUPPORTED.*v1\.20 and later have no insecure port/,
    );
  });
});

describe("a worker", () => {
  test.each([
    ["v1.20.2", "v1.20.2"],
    ["v1.20.2", "v1.20.1"],
    ["v1.20.2", "v1.18.20"],
    ["v1.28.0", "v1.25.10"],
    ["v1.6.0", "v1.6.0-beta.3"],
    ["v1.5.8", "v1.3.6"],
  ])("of a master of %s may be of %s", (master, worker) => {
    expect(() => { checkSkew({ master, worker }); }).not.toThrow();
  });

  test.each([
    ["v1.20.2", "v1.20.3", "newer"],
    ["v1.6.0-beta.3", "v1.6.0", "newer"],
    ["v1.20.2", "v1.17.17", "3 minor versions behind"],
    ["v1.27.16", "v1.24.17", "allows 2"],
    ["v1.28.0", "v1.24.17", "allows 3"],
    ["v1.6.0", "v1.5.8", "before v1.6"],
  ])("of a master of %s may not be of %s", (master, worker, reason) => {
    const { kind, problems } = errorOf(() => { checkSkew({ master, worker }); });
    expect(kind).toBe("conflict");
    expect(problems).toMatchObject([{ code: "VERSION_SKEW" }]);
    expect(problems[0]?.message).toContain(reason);
  });
});

describe("the overview", () => {
  const { ranges, minors, ...rest } = versionOverview();

  test("has the three ways of building a cluster, with what they have in common", () => {
    expect(rest).toEqual({ defaultVersion });
    expect(ranges).toMatchObject([
      { range: "v1.3 - v1.5", runtime: "dockershim", nodeCredentials: "token-file", authorization: "ABAC", etcd: "v2" },
      { range: "v1.6 - v1.23", nodeCredentials: "bootstrap-token", authorization: "RBAC | Node,RBAC", etcd: "v3" },
      { range: "v1.24 - v1.36", runtime: "cri-dockerd", authorization: "Node,RBAC", etcd: "v3" },
    ]);
  });

  test("has all minor versions, and what was tried of them", () => {
    expect(minors.map((one) => one.minor)).toEqual(supportedMinors());
    expect(minors.find((one) => one.minor === "v1.20")).toMatchObject({ tried: ["v1.20.2"], published: false });
    expect(minors.find((one) => one.minor === "v1.18")).toMatchObject({ published: true, images: { pause: "pause:3.2" } });
    expect(minors.flatMap((one) => one.tried)).toEqual(ranges.flatMap((one) => one.tried));
  });
});

test("official images are named by architecture, until one name was for all", () => {
  expect(featuresOf("v1.3.6").published?.reference).toBe("registry.k8s.io/hyperkube-{arch}:{version}");
  expect(featuresOf("v1.18.20").published?.reference).toBe("registry.k8s.io/hyperkube:{version}");
  expect(featuresOf("v1.19.0").published).toBeUndefined();
});

describe("an API server that lets in nobody without credentials", () => {
  const check = (version: string, value: string) => () => {
    checkAnonymousAuth({ apiserver: { "anonymous-auth": value } }, featuresOf(version));
  };

  test("is refused from v1.6 on, where its probes have none", () => {
    expect(check("v1.5.8", "false")).not.toThrow();
    for (const version of ["v1.6.0", "v1.20.2", "v1.36.2"]) {
      expect(check(version, "true")).not.toThrow();
      for (const value of ["false", "False", "0"]) expect(check(version, value)).toThrow(/ANONYMOUS_AUTH_OFF.*401/);
    }
  });
});
