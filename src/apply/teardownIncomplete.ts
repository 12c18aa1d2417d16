import { TsdeployError } from "../model/errors.js";

/** @param lines what is still there */
export function teardownIncomplete(lines: readonly string[]): TsdeployError {
  return new TsdeployError("failed", {
    code: "TEARDOWN_INCOMPLETE",
    message: `Still there after the teardown: ${lines.join("; ")}`,
    hint: "Run `tsdeploy teardown` again; a reboot ends what is held by processes of the host.",
  });
}
