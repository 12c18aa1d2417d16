#!/usr/bin/env node
// What an older Node.js can read: everything else is loaded after its version is known.
const oldestNode = 20;

if (Number(process.versions.node.split(".")[0]) < oldestNode) {
  process.stderr.write(
    `error: NODE_TOO_OLD: tsdeploy needs Node.js ${String(oldestNode)} or later; this is ${process.version}\n`,
  );
  process.exitCode = 3;
} else {
  void import("./runBundle.js").then(({ runBundle }) => {
    runBundle();
  });
}
