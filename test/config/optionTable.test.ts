import { describe, expect, it } from "vitest";
import { optionDocs } from "../../src/config/optionDocs.js";
import { optionsOf, optionTable, variableOf } from "../../src/config/optionTable.js";
import { commandTable } from "../../src/config/commandTable.js";
import { defaultVersion } from "../../src/kubernetes/versions.js";

describe("optionTable", () => {
  it.each(commandTable.map(({ name }) => name))("gives %s each flag, key and variable once", (command) => {
    const rows = optionsOf(command);
    const names = rows.flatMap(({ flag, short }) => [flag, short]).filter((name) => name !== undefined);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(rows.map(({ key }) => key)).size).toBe(rows.length);
  });

  it("names variables after keys", () => {
    const variables = optionTable.map(variableOf);
    expect(variables).toContain("TSDEPLOY_K8S_VERSION");
    expect(variables).toContain("TSDEPLOY_POD_CIDR");
    expect(variables).toContain("DOCKER_HOST");
  });

  it("tells the version that a new cluster gets", () => {
    expect(optionTable.find(({ key }) => key === "k8sVersion")?.otherwise).toContain(defaultVersion);
  });

  it("is what docs/options.md says (else: npm run docs)", async () => {
    await expect(optionDocs()).toMatchFileSnapshot("../../docs/options.md");
  });
});
