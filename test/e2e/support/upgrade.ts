import type { Machine } from "./machine.js";
import { image, kubectlJson, version } from "./operator.js";
import { runOk } from "./run.js";
import { service, workload } from "./workload.js";

const realNext = process.env["TSDEPLOY_E2E_NEXT"];

/** The version that chapters about upgrades go to, and where Service `web-everywhere` answers on each node. */
export const next = realNext ?? "v1.21.0";
export const nextImage = `tsdeploy/hyperkube:${next}`;
export const nodePort = 30080;

/** Whether there is a next version: a real one, or v1.20.2 by another name, which has to be as long. */
export const hasNext = realNext !== undefined || version === "v1.20.2";

/** A version so many minor versions from the one that the cluster begins with. */
export function minorFrom(distance: number): string {
  return `v1.${Number(version.split(".")[1]) + distance}.0`;
}

/** Has the next version's image in a machine's Docker: a real one, which this host's Docker has, or the renamed one. */
export async function bringNext(machine: Machine): Promise<void> {
  if (realNext !== undefined) {
    await runOk("scripts/dev/machines", ["load", nextImage, String(machine.number)]);
    return;
  }
  await machine.sh(`
    docker run -d --name owners-build ${image} sleep infinity >/dev/null
    docker exec owners-build sh -c 'cd /usr/local/bin && sed -i "s/${version.replaceAll(".", "\\.")}/${next}/g" kube*'
    docker stop -t 0 owners-build >/dev/null
    docker commit --change 'CMD ["/pause"]' --change 'LABEL org.opencontainers.image.version=${next}' owners-build ${nextImage} >/dev/null
    docker rm owners-build >/dev/null`);
}

/** Asks the Service without a pause. Nodes have to hear of it first: failures count once it has answered. */
export class Caller {
  readonly failures: string[] = [];
  answers = 0;
  #isStopped = false;
  readonly #ended: Promise<void>;

  constructor(url: string) {
    this.#ended = this.#call(url);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#ended;
  }

  async #call(url: string): Promise<void> {
    while (!this.#isStopped) {
      try {
        const response = await fetch(url, { signal: AbortSignal.timeout(10_000), headers: { connection: "close" } });
        await response.text();
        if (response.ok) this.answers++;
        else this.#fail(`status ${response.status}`);
      } catch (error) {
        this.#fail(String(error));
      }
    }
  }

  #fail(how: string): void {
    if (this.answers > 0) this.failures.push(`${new Date().toISOString()} ${how}`);
  }
}

/** Of the kubelets. */
export async function versions(): Promise<string[]> {
  type Items = { items: { status: { nodeInfo: { kubeletVersion: string } } }[] };
  return (await kubectlJson<Items>("get", "nodes")).items.map(({ status }) => status.nodeInfo.kubeletVersion);
}

/** Two pods that never are on one node, which end after the Service has let go of them, and a budget of one. */
export function steadyWorkload(): object[] {
  const [secret, deployment] = workload as unknown as [object, { spec: { template: { spec: object } } }];
  const spec = structuredClone(deployment) as {
    spec: { replicas: number; template: { spec: Record<string, unknown> & { containers: Record<string, unknown>[] } } };
  };
  const alone = { topologyKey: "kubernetes.io/hostname", labelSelector: { matchLabels: { app: "web" } } };
  spec.spec.replicas = 2;
  delete spec.spec.template.spec["topologySpreadConstraints"];
  spec.spec.template.spec["terminationGracePeriodSeconds"] = 15;
  spec.spec.template.spec["affinity"] = {
    podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [alone] },
  };
  for (const container of spec.spec.template.spec.containers) {
    container["lifecycle"] = { preStop: { exec: { command: ["sleep", "5"] } } };
  }
  const budget = {
    // policy/v1 came with v1.21, v1beta1 went with v1.25.
    apiVersion: Number(version.split(".")[1]) < 21 ? "policy/v1beta1" : "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: { name: "web" },
    spec: { minAvailable: 1, selector: { matchLabels: { app: "web" } } },
  };
  return [secret, spec, budget, service("web-everywhere", { type: "NodePort" }, nodePort)];
}
