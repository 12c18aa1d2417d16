import { hasFlannel } from "../../e2e/support/operator.js";
import { runOk } from "../../e2e/support/run.js";
import { nodes } from "../../e2e/support/workload.js";
import type { VirtualMachine } from "./virtualMachine.js";

/** Has the machines, and this one, reach each other's pods where no flannel does. Routes go with a reboot. */
export async function routePods(machines: readonly VirtualMachine[]): Promise<void> {
  if (hasFlannel()) return;
  const ranges = new Map((await nodes()).map(({ metadata, spec }) => [metadata.name, spec.podCIDR]));
  const route = ({ name, address }: VirtualMachine): string => `ip route replace ${ranges.get(name) ?? ""} via ${address}`;
  for (const machine of machines) {
    const others = machines.filter((other) => other !== machine);
    await machine.sh(others.map(route).join("\n"));
    await runOk("bash", ["-euc", route(machine)]);
  }
}

/** Without them again, on the machines; this one's go with the network. */
export async function unroutePods(machines: readonly VirtualMachine[]): Promise<void> {
  if (hasFlannel()) return;
  for (const machine of machines) {
    for (const { address } of machines) await machine.sh(`ip -o route show via ${address} | xargs -r -L1 ip route delete`);
  }
}
