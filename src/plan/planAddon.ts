import { writtenFilesRecord } from "../host/writtenFiles.js";
import { clusterConfigMap } from "../kubernetes/bootstrapObjects.js";
import type { VersionFeatures } from "../kubernetes/versions.js";
import type { AddonName } from "../model/addonNames.js";
import type { ClusterConfig } from "../model/clusterConfig.js";
import { defined } from "../model/defined.js";
import type { ObservedHost } from "../model/hostFacts.js";
import type { HostFile } from "../model/hostFile.js";
import type { Plan } from "../model/plan.js";
import { type AddonPartInput, addonPart, type PullSecret } from "./addonSteps.js";
import { step } from "./step.js";

export interface AddonPlanInput {
  /** The add-on that is switched on or off, as `config.addons` says. */
  readonly name: AddonName;
  readonly config: ClusterConfig;
  readonly features: VersionFeatures;
  readonly observed: ObservedHost;
  readonly hasOtherNodes: boolean;
  readonly options: AddonPartInput["options"];
  readonly nodeName: string;
  readonly pullSecret?: PullSecret | undefined;
  /** See `AddonPartInput`. */
  readonly revision: string;
  /** The accepted options with the change. */
  readonly optionsFile: HostFile;
}

/** Turns one add-on of a master on or off; nothing else of the host changes. */
export function planAddon(input: AddonPlanInput): Plan {
  const { name, config, features, observed, options, hasOtherNodes, optionsFile } = input;
  const part = addonPart({
    only: name,
    config,
    features,
    observed,
    options,
    hasOtherNodes,
    nodeName: input.nodeName,
    bundled: [],
    revision: input.revision,
    ...defined({ pullSecret: input.pullSecret }),
  });
  const files = [optionsFile, ...part.files];
  return {
    role: "master",
    clusterName: config.clusterName,
    version: config.version,
    nodeName: input.nodeName,
    steps: [
      step("api", "add-on", [], { kind: "wait", probe: { kind: "api-answers" } }),
      // Nothing is written for a cluster that does not answer.
      step("files", "add-on", ["api"], {
        kind: "write-files",
        files: [writtenFilesRecord([...files, ...part.lateFiles], observed.files), ...files],
      }),
      step("objects", "add-on", ["files"], { kind: "apply-objects", objects: [clusterConfigMap(config)] }),
      ...part.steps("objects", []),
    ],
    warnings: part.warnings,
  };
}
