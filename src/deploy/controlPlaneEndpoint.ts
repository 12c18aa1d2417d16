import { ApiError } from "../api/apiFault.js";
import { KubernetesClient } from "../api/kubernetesClient.js";
import type { Helper } from "../host/helperSession.js";
import { isAddress } from "../model/addressRanges.js";
import { TsdeployError } from "../model/errors.js";
import type { RunContext } from "../report/runContext.js";

/** How long an API server behind it may take to answer. */
const answerMs = 10_000;

const lookup = 'getent ahosts "$1" | head -n 1 || true';

/**
 * What is to lead to the masters, as this host sees it. That nothing answers there yet is no reason against it: a load
 * balancer has nobody to ask before there is a master.
 *
 * @param endpoint `host:port`
 * @throws TsdeployError `environment`, `ENDPOINT_UNKNOWN`, for a name without an address; `conflict`,
 * `ENDPOINT_TAKEN`, where another cluster answers, or something else
 */
export async function refuseEndpoint(
  helper: Pick<Helper, "run" | "openTcp">,
  endpoint: string,
  caPem: string,
  signal: AbortSignal,
): Promise<void> {
  const { hostname } = new URL(`https://${endpoint}`);
  if (!(await hasAddress(helper, hostname, signal))) {
    throw new TsdeployError("environment", {
      code: "ENDPOINT_UNKNOWN",
      message: `this host finds no address for the control-plane endpoint ${hostname}`,
      hint: "Put the name into the DNS that all nodes ask, or into each one's /etc/hosts, or give an address.",
    });
  }
  const code = await ask(helper, endpoint, caPem, signal);
  if (code !== "CA_MISMATCH" && code !== "NOT_KUBERNETES") return;
  const what = code === "CA_MISMATCH" ? "another cluster answers" : "something that is no API server answers";
  throw new TsdeployError("conflict", {
    code: "ENDPOINT_TAKEN",
    message: `at the control-plane endpoint ${endpoint} ${what}`,
    hint: "Point it at this cluster's masters alone, by plain TCP: it must not end TLS itself.",
  });
}

async function hasAddress(helper: Pick<Helper, "run">, hostname: string, signal: AbortSignal): Promise<boolean> {
  if (isAddress(hostname)) return true;
  const { stdout } = await helper.run(lookup, [hostname], { signal });
  return stdout.toString().trim() !== "";
}

/** Whoever is elsewhere could not reach the cluster. */
export async function warnOfSilence(
  helper: Pick<Helper, "openTcp">,
  endpoint: string,
  caPem: string,
  { signal, report }: RunContext,
): Promise<void> {
  if ((await ask(helper, endpoint, caPem, signal)) === undefined) return;
  const message = `no API server of this cluster answers at ${endpoint}: nodes and kubectl need it there. Point it at port 6443 of the masters`;
  report({ kind: "warning", message });
}

/** @returns undefined if an API server of this cluster answers there, else the code of what was met */
async function ask(
  helper: Pick<Helper, "openTcp">,
  endpoint: string,
  caPem: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { hostname, port } = new URL(`https://${endpoint}`);
  const client = new KubernetesClient({
    server: `https://${endpoint}`,
    connect: () => helper.openTcp(hostname, Number(port === "" ? 443 : port)),
    caPem,
    timeoutMs: answerMs,
  });
  try {
    await client.get("/version", { signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    // Who is nobody may be refused, by a server that has shown whose it is; the other masters' certificates may be made
    // for this endpoint yet.
    if (error instanceof ApiError && [401, 403].includes(error.status)) return undefined;
    const code = error instanceof TsdeployError ? (error.problems[0]?.code ?? "") : "UNREACHABLE";
    return code === "ADDRESS_MISMATCH" ? undefined : code;
  } finally {
    client.close();
  }
}
