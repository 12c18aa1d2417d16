import { networkBackend } from "../../e2e/support/operator.js";

const setting = (name: string, otherwise: string): string => process.env[`TSDEPLOY_VM_${name}`] ?? otherwise;

/** What `scripts/dev/test-vm` was told; version, image and backend are the end-to-end tests' own settings. */
export const settings = {
  suite: setting("SUITE", "trixie"),
  arch: setting("ARCH", "amd64"),
  /** 1: a master alone; 2: with a worker. */
  machines: Number(setting("MACHINES", "2")),
  cpus: setting("CPUS", "2"),
  memory: setting("MEMORY", "3072"),
  proxyMode: setting("PROXY_MODE", "iptables"),
  backend: networkBackend,
  /** How long tsdeploy may wait for each thing. */
  timeout: setting("TIMEOUT", "40m"),
  /** Whether the machines are left as they are in the end. */
  keep: setting("KEEP", "") !== "",
} as const;
