import type { VersionFeatures } from "./versions.js";

/** Annotation of a pod: how many seconds its programs may take to start, as the run that wrote it was given. */
export const startupAnnotation = "io.tsdeploy.startup-seconds";

/** kubeadm's: 24 looks, 10 s apart. A run with a short `--timeout` is no reason to kill what starts after a reboot. */
const leastSeconds = 240;

interface Probed {
  readonly command?: readonly string[] | undefined;
  readonly livenessProbe?: Readonly<Record<string, unknown>> | undefined;
}

/** How many seconds a run that waits so long lets programs take to start. */
export function startupSeconds(timeoutMs: number): number {
  return Math.max(leastSeconds, Math.ceil(timeoutMs / 1000));
}

/**
 * A container that the kubelet does not kill while it starts, but afterwards if it hangs: the liveness probe is put off
 * by a startup probe, as kubeadm does from its `timeoutForControlPlane`, or by a late first look where there is none.
 *
 * @param seconds how long its program may take
 */
export function withStartupTime<Container extends Probed>(
  container: Container,
  seconds: number,
  { startupProbes }: VersionFeatures,
): Container {
  const { livenessProbe, command = [] } = container;
  if (!livenessProbe) return container;
  // It first waits for an API server that may take all of that time, and then starts itself.
  const allowed = command.includes("--api") ? 2 * seconds : seconds;
  if (!startupProbes) return { ...container, livenessProbe: { ...livenessProbe, initialDelaySeconds: allowed } };
  const periodSeconds = 10;
  const startupProbe = { ...livenessProbe, periodSeconds, failureThreshold: Math.ceil(allowed / periodSeconds) };
  return { ...container, startupProbe };
}
