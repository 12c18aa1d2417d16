import semver from "semver";
import { describe, expect, test } from "vitest";
import { TsdeployError } from "../../src/errors.js";
import * as table from "../../src/kubernetes/versionTable.js";
import { defaultVersion, featuresOf, resolveVersion } from "../../src/kubernetes/versions.js";
import { type Plan } from "../../src/plan/plan.js";
import { planMaster } from "../../src/plan/planMaster.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { masterInput, masterOptions, workerInput } from "../plan/fixtures.js";
import { fieldProblems, flagProblems, hyperkubeCommands, planProblems } from "./flagLists.js";

describe("a version", () => {
  test.each(["1.20.2", "v1.20.2", " v1.20.2 "])("may be written as %s", (text) => {
    expect(resolveVersion(text)).toBe("v1.20.2");
  });

  test.each(["", "1.20", "latest", "v1.20.x", "one", "vv1.20.2", "1.20.2; rm"])("may not be written as %j", (text) => {
    expect(() => resolveVersion(text)).toThrow("VERSION_MALFORMED");
  });

  test.each(["v1.19.16", "v1.21.0", "v1.21.0-alpha.1", "v2.0.0", "v1.3.6"])("%s is refused", (text) => {
    let thrown: unknown;
    try {
      resolveVersion(text);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(TsdeployError);
    expect(thrown).toMatchObject({ kind: "usage", problems: [{ code: "VERSION_UNSUPPORTED" }] });
    expect((thrown as TsdeployError).problems[0]?.hint).toContain("v1.20.2");
  });

  test("says whether it was tried", () => {
    expect(featuresOf("v1.20.2").tried).toBe(true);
    expect(featuresOf("v1.20.15").tried).toBe(false);
    const { warnings } = planMaster({ ...masterInput, config: { ...masterInput.config, version: "v1.20.15" } });
    expect(warnings.join()).toContain("not tried");
  });

  test("the default one is supported and tried", () => {
    expect(featuresOf(defaultVersion).tried).toBe(true);
  });
});

test("every range of the table is one that semver understands", () => {
  const rows = Object.values(table).flatMap((value) => (Array.isArray(value) ? (value as { range: string }[]) : []));
  expect(rows.length).toBeGreaterThan(10);
  expect(rows.map(({ range }) => range).filter((range) => semver.validRange(range) === null)).toEqual([]);
});

describe("v1.20.2 knows", () => {
  const plans: [string, Plan][] = [
    ["the master's", planMaster(masterInput)],
    ["the worker's", planWorker(workerInput)],
    [
      "a master's with all options",
      planMaster({
        ...masterInput,
        options: {
          ...masterOptions,
          nodeLabels: { a: "b" },
          nodeTaints: [{ key: "only", value: "me", effect: "NoSchedule" }],
          extraArgs: { proxy: { "proxy-mode": "ipvs", v: "4" }, apiserver: { v: "2" } },
        },
      }),
    ],
  ];

  test.each(plans)("all that %s plan says", (_name, plan) => {
    expect(hyperkubeCommands(plan).length).toBeGreaterThanOrEqual(2);
    expect(planProblems(plan)).toEqual([]);
  });

  test("every field that a kube-proxy flag becomes", () => {
    const document = Object.values(table.proxyFields).map(({ field }) =>
      field.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), 1),
    );
    expect(document.flatMap((one) => fieldProblems("v1.20.2", "kube-proxy", one))).toEqual([]);
  });

  test("every kube-proxy flag that becomes a field or stays", () => {
    const flags = [...Object.keys(table.proxyFields), ...table.proxyFlagsBesideConfig].map((flag) => `--${flag}=1`);
    expect(flagProblems("v1.20.2", ["kube-proxy", ...flags])).toEqual([]);
  });
});

describe("a flag or field that v1.20.2 lacks is found", () => {
  const programs = ["apiserver", "controller-manager", "scheduler", "kubelet"] as const;

  test.each(programs)("on the command line of %s", (program) => {
    const bogus = { [program]: { "no-such-flag": "1" } };
    const plan = planMaster({ ...masterInput, options: { ...masterOptions, extraArgs: bogus } });
    expect(planProblems(plan).join("\n")).toMatch(/does not know --no-such-flag/);
  });

  test.each([
    ["a removed one", "kubelet", "--allow-privileged=true", "does not know"],
    ["a later one", "kube-apiserver", "--service-account-jwks-url=x", "does not know"],
    ["a deprecated one", "kubelet", "--pod-manifest-path=/x", "deprecates"],
  ])("%s", (_name, program, argument, problem) => {
    expect(flagProblems("v1.20.2", [program, argument]).join()).toContain(problem);
  });

  test.each(["kubelet", "proxy"])("in the configuration of the %s", (target) => {
    const patches = [{ target, type: "merge", body: { noSuch: { field: 1 } }, file: "p.yaml" }] as const;
    const plan = planMaster({ ...masterInput, options: { ...masterOptions, patches } });
    expect(planProblems(plan).join("\n")).toMatch(/has no field noSuch\.field/);
  });
});
