import { image, kubectlJson, version } from "./operator.js";
import { service, workload } from "./workload.js";

/** The version that chapters about upgrades go to, and where Service `web-everywhere` answers on each node. */
export const next = "v1.21.0";
export const nextImage = `tsdeploy/hyperkube:${next}`;
export const nodePort = 30080;

/** The same Kubernetes by the name of the next minor version, which is as long: its programs say so themselves. */
export const renamed = `
  docker run -d --name owners-build ${image} sleep infinity >/dev/null
  docker exec owners-build sh -c 'cd /usr/local/bin && sed -i "s/${version.replaceAll(".", "\\.")}/${next}/g" kube*'
  docker stop -t 0 owners-build >/dev/null
  docker commit --change 'CMD ["/pause"]' --change 'LABEL org.opencontainers.image.version=${next}' owners-build ${nextImage} >/dev/null
  docker rm owners-build >/dev/null`;

/** Asks the Service without a pause, until it is stopped. */
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
        else this.failures.push(`status ${response.status}`);
      } catch (error) {
        this.failures.push(`${new Date().toISOString()} ${String(error)}`);
      }
    }
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
    apiVersion: "policy/v1beta1",
    kind: "PodDisruptionBudget",
    metadata: { name: "web" },
    spec: { minAvailable: 1, selector: { matchLabels: { app: "web" } } },
  };
  return [secret, spec, budget, service("web-everywhere", { type: "NodePort" }, nodePort)];
}
