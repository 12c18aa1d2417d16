import { expect, test } from "vitest";
import { carryOut } from "../apply/memory/scene.js";
import { masterScene, runningMaster } from "../apply/memory/scenes.js";

const manifest = "/etc/kubernetes/manifests-multi/master-multi.json";
const [now, next] = [{ version: "v1.20.2", etcd: "3.4.23" }, { version: "v1.21.14", etcd: "3.4.23" }];

test.each([
  [false, ["MANIFEST_EDITED"]],
  [true, []],
])("another version beside an edited manifest is refused with nothing touched, or replaces it: --overwrite %s", async (overwrite, codes) => {
  const host = await runningMaster(now, [next]);
  const { files } = host.state;
  const { mode = 0, content = "" } = files.get(manifest) ?? {};
  files.set(manifest, { mode, content: content.replace("--allow-privileged=true", "--allow-privileged=false") });
  const before = structuredClone(files);
  const { error } = await carryOut(await masterScene(host, { ...next, options: { overwrite } }), host);
  const { problems = [] } = (error ?? {}) as { problems?: { code: string }[] };
  expect(problems.map(({ code }) => code)).toEqual(codes);
  if (overwrite) expect(files.get(manifest)?.content).toContain("v1.21.14");
  else expect(files).toEqual(before);
});
