import type { ClusterConfig } from "../model/clusterConfig.js";
import type { ContainerSpec } from "../model/containerSpec.js";
import type { HostFile } from "../model/hostFile.js";
import type { NodeOptions } from "../model/options.js";
import { specDigest, withSpecLabel } from "../model/specDigest.js";
import type { NetworkAgent } from "../network/podNetwork.js";
import { configLabel, containerLabels } from "./containerLabels.js";
import { startCommand } from "./startCommand.js";

export interface NetworkContainerInput {
  readonly role: "master" | "worker";
  readonly config: ClusterConfig;
  readonly options: Pick<NodeOptions, "restartPolicy">;
  readonly agent: NetworkAgent;
  /** Its configuration. */
  readonly files: readonly HostFile[];
}

/** The pod network's own program: in the host's network, with what it needs to change that. */
export function networkContainer({ role, config, options, agent, files }: NetworkContainerInput): ContainerSpec {
  // An image of the network's own may have no Bash: its program then ends without the API server, and starts again.
  const isOwnImage = agent.image === config.image;
  const start = startCommand({ modules: agent.modules, files: agent.files, api: agent.api, links: agent.links });
  return withSpecLabel({
    component: agent.component,
    image: agent.image,
    command: [...(isOwnImage ? start : []), ...agent.command],
    env: agent.env,
    binds: agent.binds,
    labels: {
      ...containerLabels(role, agent.component, config),
      [configLabel]: specDigest(files.map(({ content }) => content)),
    },
    hostPid: false,
    privileged: true,
    hostCgroupNamespace: true,
    restartPolicy: options.restartPolicy,
    stopGraceSeconds: 5,
  });
}
