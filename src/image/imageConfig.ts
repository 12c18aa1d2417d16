import { defined } from "../model/defined.js";
import * as z from "../model/zod.js";
import { imagePath } from "./imageContents.js";

const historyEntry = z.looseObject({ empty_layer: z.boolean().optional() });

/** An image's configuration, as far as it is kept: https://github.com/opencontainers/image-spec, config.md */
const configSchema = z.object({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
  config: z
    .object({ Env: z.array(z.string()).nullish(), Labels: z.record(z.string(), z.string()).nullish() })
    .nullish(),
  rootfs: z.object({ type: z.string(), diff_ids: z.array(z.string()) }),
  history: z.array(historyEntry).nullish(),
});

export type BaseConfig = z.infer<typeof configSchema>;

/** What an image of ours has beside its base. */
export interface ImageAddition {
  /** `sha256:…` of the layer's tar archive. */
  readonly layer: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Default command. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** @throws ZodError if it is no image's configuration */
export function parseBaseConfig(text: string): BaseConfig {
  return configSchema.parse(JSON.parse(text));
}

/**
 * The configuration of the image with one more layer. Says nothing of the time and machine it was made on; of the base
 * what would get in the way of a node's programs is left out: its user, entry point, volumes, health check.
 */
export function addToConfig(base: BaseConfig, { layer, labels, command, env }: ImageAddition): object {
  const created = "1970-01-01T00:00:00Z";
  const layers = base.rootfs.diff_ids;
  const history = base.history ?? [];
  const isComplete = history.filter(({ empty_layer }) => empty_layer !== true).length === layers.length;
  const kept = Object.fromEntries((base.config?.Env ?? []).map((variable) => split(variable)));
  const all = { ...kept, ...env, PATH: imagePath };
  return {
    architecture: base.architecture,
    ...defined({ variant: base.variant }),
    os: base.os,
    created,
    config: {
      Env: Object.entries(all).map(([name, value]) => `${name}=${value}`),
      Entrypoint: null,
      Cmd: command,
      Labels: { ...withoutOurs(base.config?.Labels ?? {}), ...labels },
    },
    rootfs: { type: "layers", diff_ids: [...layers, layer] },
    // Each layer has an entry, or there is no history at all.
    ...(isComplete && { history: [...history, { created, created_by: "tsdeploy image build" }] }),
  };
}

function split(variable: string): [string, string] {
  const equals = variable.indexOf("=");
  return equals < 0 ? [variable, ""] : [variable.slice(0, equals), variable.slice(equals + 1)];
}

/** Those of a base that is an image of ours name what this one may not have. */
function withoutOurs(labels: Readonly<Record<string, string>>): Record<string, string> {
  const ours = /^(io\.tsdeploy\.|org\.opencontainers\.image\.)/;
  return Object.fromEntries(Object.entries(labels).filter(([name]) => !ours.test(name)));
}
