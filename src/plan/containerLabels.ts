import type { ClusterConfig } from "../model/clusterConfig.js";
import type { Component } from "../model/containerSpec.js";
import { labels } from "../model/hostLayout.js";

/** Labels by which any run finds what is ours; the spec's digest comes with `withSpecLabel`. */
export function containerLabels(
  role: "master" | "worker",
  component: Component,
  config: ClusterConfig,
): Record<string, string> {
  return {
    [labels.cluster]: config.clusterName,
    [labels.role]: role,
    [labels.component]: component,
    [labels.version]: config.version,
  };
}

/** Digest of the configuration file that the program reads only once: a change of it makes a new container. */
export const configLabel = "io.tsdeploy.config";
