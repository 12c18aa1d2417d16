import { TsdeployError } from "../model/errors.js";
import { paths } from "../model/hostLayout.js";
import type { Flags } from "./commandFlags.js";
import { schedulerFieldFlags, schedulerSilencedFlags } from "./fieldFlags.js";
import { type ConfigurationDocument, fieldValue, withField } from "./fieldValues.js";
import type { VersionFeatures } from "./versions.js";

/**
 * The scheduler's configuration file as an object; undefined for versions that get all by flags. The file silences
 * some flags: extra arguments that have a field become that field.
 *
 * @throws TsdeployError of kind usage: `EXTRA_ARG_SILENCED`, `EXTRA_ARG_VALUE`
 */
export function schedulerConfiguration(features: VersionFeatures, extraArgs: Flags): ConfigurationDocument | undefined {
  const apiVersion = features.apis.schedulerConfiguration;
  if (apiVersion === undefined) return undefined;
  const silenced = Object.keys(extraArgs).filter((flag) => schedulerSilencedFlags.has(flag));
  if (silenced.length > 0) {
    throw new TsdeployError(
      "usage",
      silenced.map((flag) => ({
        code: "EXTRA_ARG_SILENCED",
        message: `extraArgs.scheduler: the scheduler's configuration file has no field for --${flag}, and silences the flag`,
        hint: "Leave it out.",
      })),
    );
  }
  const document: ConfigurationDocument = {
    apiVersion,
    kind: "KubeSchedulerConfiguration",
    clientConnection: { kubeconfig: paths.schedulerConf },
  };
  return Object.entries(extraArgs).reduce((result, [flag, text]) => {
    const target = Object.hasOwn(schedulerFieldFlags, flag) ? schedulerFieldFlags[flag] : undefined;
    return target ? withField(result, target.field, fieldValue("scheduler", flag, text, target.type)) : result;
  }, document);
}

/** Those of the scheduler's extra arguments that stay on its command line. */
export function schedulerCommandArgs(extraArgs: Flags, features: VersionFeatures): Flags {
  if (features.apis.schedulerConfiguration === undefined) return extraArgs;
  return Object.fromEntries(Object.entries(extraArgs).filter(([flag]) => !Object.hasOwn(schedulerFieldFlags, flag)));
}
