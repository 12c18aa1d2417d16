import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { saveFootprint } from "./footprint.js";
import { machine3, machines } from "./machine.js";
import { home, workFolder } from "./operator.js";
import { root, runOk } from "./run.js";

/** What the owner of machine 3 has on it already. Nothing of it may ever change. */
const ownersThings = `
  docker run -d --name owners-container --restart always -v owners-volume:/data tsdeploy/workload:test >/dev/null
  mkdir -p /etc/cni/net.d /opt/cni/bin /opt/owners-empty-folder
  echo '{"cniVersion":"0.3.1","name":"owners","type":"loopback"}' >/etc/cni/net.d/99-owners.conf
  echo owners >/opt/cni/bin/owners-plugin
  iptables -N OWNERS-CHAIN
  iptables -A OWNERS-CHAIN -p tcp --dport 9 -j DROP
  iptables -A INPUT -j OWNERS-CHAIN
  iptables -t nat -A POSTROUTING -s 192.0.2.0/24 -j MASQUERADE
`;

/**
 * Makes three fresh machines with the images. With TSDEPLOY_E2E_KEEP they are left as an earlier run left them, so that
 * one file of the suite can be run again by hand: `TSDEPLOY_E2E_KEEP=1 npm run test:e2e -- security`.
 */
export async function setup(): Promise<void> {
  if (!existsSync(join(root, "dist/cli.js"))) throw new Error("there is no dist/cli.js: run `npm run build` first");
  await runOk("scripts/dev/image", [], { timeoutMs: 3_600_000 });
  await runOk("scripts/dev/image", ["workload"]);
  if (process.env["TSDEPLOY_E2E_KEEP"]) return;

  rmSync(workFolder, { recursive: true, force: true });
  mkdirSync(home, { recursive: true });
  await runOk("scripts/dev/machines", ["down", ...machines.map(({ number }) => String(number))]);
  await runOk("scripts/dev/machines", ["unroutes"]);
  await runOk("scripts/dev/machines", ["up", String(machines.length)]);
  for (const image of ["tsdeploy/hyperkube:v1.20.2", "tsdeploy/workload:test"]) {
    await runOk("scripts/dev/machines", ["load", image]);
  }
  await machine3.sh(ownersThings);
  await Promise.all(machines.map(saveFootprint));
}
