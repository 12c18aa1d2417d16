import { expect, it } from "vitest";
import { versions } from "../../src/commands/versions.js";
import { defaultVersion } from "../../src/kubernetes/versions.js";

it("says which versions there are, which is the default, what was tried, and where images come from", async () => {
  const { text, data } = await versions();
  expect(text).toContain(`A new cluster gets ${defaultVersion}.`);
  expect(text).toMatch(/^v1\.3 - v1\.5 +dockershim +token-file +ABAC +v2$/m);
  expect(text).toMatch(/^v1\.24 - v1\.36 +cri-dockerd +bootstrap-token +Node,RBAC +v3$/m);
  expect(text).toMatch(/^v1\.18 +\S.* +published +/m);
  expect(text).toMatch(/^v1\.19 +not tried +built +/m);
  expect(text).toMatch(/^v1\.20 +v1\.20\.2 +built +/m);
  expect(data).toMatchObject({ defaultVersion });
  expect((data as { minors: unknown[] }).minors).toHaveLength(34);
});
