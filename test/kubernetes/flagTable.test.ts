import { describe, expect, test } from "vitest";
import {
  fieldTable,
  type FieldTable,
  type FlagComponent,
  type FlagTable,
  flagTable,
} from "../../src/kubernetes/flagTable.js";
import { featuresOf, readFeatures, supportedMinors, type VersionFeatures } from "../../src/kubernetes/versions.js";
import type { Program } from "../../src/kubernetes/versionTable.js";
import { checkCommandLine, checkDocument, knowsField, knowsFlag, listedVersions, programs } from "./flagLists.js";
import { fewScenariosOf, render, type Rendering, scenariosOf } from "./renderings.js";

/** Patches whose rows are other than those of their minor's first release. */
const versions = [...supportedMinors().map((minor) => `${minor}.0`), "v1.3.6", "v1.4.12", ...listedVersions];

function problemsOf(version: string, { commands, documents }: Rendering): string[] {
  return [
    ...commands.flatMap(({ program, argv }) => checkCommandLine(version, program, argv)),
    ...documents.flatMap(({ document, content }) => checkDocument(version, document, content)),
  ];
}

describe.each(listedVersions)("%s knows", (version) => {
  const features = featuresOf(version);
  const scenarios = scenariosOf(features);

  test(`every flag and field that ${scenarios.length} renderings say`, () => {
    for (const scenario of scenarios) {
      const rendering = render(features, scenario);
      expect(rendering.commands.length).toBeGreaterThanOrEqual(2);
      expect(problemsOf(version, rendering), JSON.stringify(scenario)).toEqual([]);
    }
  });
});

describe("a version without a list", () => {
  test.each(versions.filter((version) => !listedVersions.includes(version)))(
    "%s says nothing that neither the release before it nor the one after it knows",
    (version) => {
      const older = listedVersions.filter((listed) => isOlder(listed, version)).at(-1);
      const newer = listedVersions.find((listed) => isOlder(version, listed));
      const neighbours = [older, newer].filter((listed) => listed !== undefined);
      const features = featuresOf(version);
      for (const scenario of fewScenariosOf(features)) {
        const { commands, documents } = render(features, scenario);
        const unknown = commands.flatMap(({ program, argv }) =>
          argv.filter((argument) =>
            neighbours.every((listed) => knowsFlag(listed, program, flagIn(argument)) === false),
          ),
        );
        expect(unknown).toEqual([]);
        for (const { document, content } of documents) {
          const problems = neighbours.map((listed) => checkDocument(listed, document, content));
          expect(problems.some((none) => none.length === 0)).toBe(true);
        }
      }
    },
  );
});

describe("the check of command lines sees every row of the flag table", () => {
  const said = new Map<string, Set<string>>();
  for (const version of versions) {
    const features = featuresOf(version);
    for (const scenario of fewScenariosOf(features)) {
      for (const { program, argv } of render(features, scenario).commands) {
        for (const argument of argv) {
          const key = `${program} ${flagIn(argument)} ${scenario.insecureApi ? "open" : "closed"}`;
          said.set(key, (said.get(key) ?? new Set()).add(version));
        }
      }
    }
  }
  const rows = programs.flatMap((program) =>
    Object.entries(flagTable[program]).flatMap(([flag, ranges]) =>
      ranges.map((row, index) => ({ program, flag, row, index })),
    ),
  );

  test.each(rows)("$program --$flag, row $index", ({ program, flag, row, index }) => {
    const api = row.insecureApi === true ? "open" : "closed";
    const inRow = versions.filter((version) => rowOf(version, program, flag, row.insecureApi === true) === index);
    expect(inRow).not.toEqual([]);
    expect(inRow.some((version) => said.get(`${program} ${flag} ${api}`)?.has(version))).toBe(true);
  });

  function rowOf(version: string, program: Program, flag: string, insecureApi: boolean): number | undefined {
    const marked = Object.entries(flagTable[program][flag] ?? []).map(([index, row]) => ({ ...row, value: index }));
    const marking: FlagTable = { ...flagTable, [program]: { [flag]: marked } };
    const verdict = readFeatures(version, { flagTable: marking, fieldTable }).flag(program, flag, insecureApi);
    return verdict?.kind === "present" ? Number(verdict.value) : undefined;
  }
});

describe.each(listedVersions)("in %s", (version) => {
  const flags = programs.flatMap((program) => Object.keys(flagTable[program]).map((flag) => ({ program, flag })));
  const missing = flags.filter(({ program, flag }) => knowsFlag(version, program, flag) === false);
  const lists = programs.filter((program) => knowsFlag(version, program, "v") !== undefined);

  test(`each of ${missing.length} flags that it lacks is found in every row of its history`, () => {
    const missed = missing.flatMap(({ program, flag }) => {
      const rows = flagTable[program][flag] ?? [];
      const mutations = rows.length === 0 ? [{}] : rows;
      return mutations.flatMap((row, index) => {
        const wrong = mutations.map((other, place) => (place === index ? { value: "1", ...row, range: "*" } : other));
        const found = findings(version, program, { ...flagTable, [program]: { ...flagTable[program], [flag]: wrong } });
        return found.some((one) => one.endsWith(`does not know --${flag}`)) ? [] : [`${program} --${flag}, row ${index}`];
      });
    });
    expect(missed).toEqual([]);
  });

  test.each(lists)("a flag of %s that no release has is found", (program) => {
    const wrong = { ...flagTable, [program]: { ...flagTable[program], "no-such-flag": [{ range: "*", value: "1" }] } };
    expect(findings(version, program, wrong).join()).toContain("does not know --no-such-flag");
  });

  function findings(of: string, program: Program, mutated: FlagTable): string[] {
    const features = readFeatures(of, { flagTable: mutated, fieldTable });
    return fewScenariosOf(features).flatMap((scenario) =>
      // Also where the version refuses it: its rows are found out all the same.
      [false, true].flatMap((insecureApi) => problemsOf(of, render(features, { ...scenario, insecureApi }, program))),
    );
  }
});

const files = listedVersions.flatMap((version) =>
  (["kubelet", "proxy"] as const)
    .filter((document) => knowsField(version, document, "kind"))
    .map((document) => [document, version] as const),
);

describe.each(files)("in the file of the %s, %s", (document, version) => {
  const features = featuresOf(version);

  test("each field that it lacks is found", () => {
    const missing = Object.keys(fieldTable[document]).filter((path) => !knowsField(version, document, path));
    const missed = [...missing, "noSuch.field"].filter((path) => {
      const mutated = { ...fieldTable, [document]: { ...fieldTable[document], [path]: [{ range: "*", value: "1" }] } };
      return !findings(mutated).some((one) => one.endsWith(`has no field ${path}`));
    });
    expect(missed).toEqual([]);
  });

  test("there is each field that the table says", () => {
    // Names in a map are no fields.
    const paths = Object.keys(fieldTable[document]).filter((path) => !path.startsWith("featureGates."));
    const wrong = paths.filter(
      (path) => knowsField(version, document, path) !== (features.field(document, path)?.kind === "present"),
    );
    expect(wrong).toEqual([]);
  });

  function findings(mutated: FieldTable): string[] {
    const mutant: VersionFeatures = readFeatures(version, { flagTable, fieldTable: mutated });
    return fewScenariosOf(mutant).flatMap((scenario) => problemsOf(version, render(mutant, scenario, document)));
  }
});

describe("nothing is said twice", () => {
  // Before v1.10 a kubelet has no file.
  const byFile = versions.filter((version) => featuresOf(version).kubeletConfigured === "file");

  test.each(byFile)("by file and by flag in %s", (version) => {
    const features = featuresOf(version);
    for (const scenario of fewScenariosOf(features)) {
      const { commands, documents } = render(features, scenario, "kubelet");
      const fields = Object.keys(documents[0]?.content ?? {}).map((field) => field.toLowerCase());
      const flags = commands.flatMap(({ argv }) => argv).map((argument) => flagIn(argument).replaceAll("-", ""));
      expect(fields).toContain("kind");
      expect(flags).toContain("config");
      expect(flags.filter((flag) => fields.includes(flag))).toEqual([]);
    }
  });
});

test("a row's range is of the form that a reader of the table expects", () => {
  const tables: Readonly<Record<string, Readonly<Record<string, readonly { readonly range: string }[]>>>> = {
    ...flagTable,
    ...fieldTable,
  };
  const rows = Object.values(tables).flatMap((table) => Object.values(table).flat());
  const ranges = rows.map(({ range }) => range);
  expect(ranges.filter((range) => !/^(\*|(>=1\.\d+(\.\d+)?)? ?(<1\.\d+(\.\d+)?)?)$/.test(range))).toEqual([]);
});

test("etcd is told of its second API where the API server needs it, and nowhere else", () => {
  const told = (version: string, component: FlagComponent = "etcd"): unknown => featuresOf(version).ownFlags(component);
  expect(told("v1.5.8")).toEqual({ "enable-v2": "true" });
  expect(told("v1.6.0-beta.3")).toEqual({});
});

function flagIn(argument: string): string {
  return argument.replace(/^--/, "").replace(/=.*$/s, "");
}

function isOlder(one: string, other: string): boolean {
  return one.localeCompare(other, "en", { numeric: true }) < 0;
}

