import type { Bind, ContainerSpec } from "../model/containerSpec.js";
import { defined } from "../model/defined.js";

/** The body of `POST /containers/create`. All containers of ours are on the host's network. */
export function containerBody(spec: ContainerSpec) {
  const [program, ...args] = spec.command;
  if (program === undefined) {
    throw new Error(`the container ${spec.component} has no command`);
  }
  const hostConfig = {
    NetworkMode: "host",
    Privileged: spec.privileged,
    Binds: spec.binds.map(bindText),
    RestartPolicy: { Name: spec.restartPolicy },
    AutoRemove: spec.component === "helper" && spec.restartPolicy === "no",
    ...(spec.hostPid ? { PidMode: "host" } : {}),
    ...(spec.openFiles === undefined ? {} : { Ulimits: [openFilesLimit(spec.openFiles)] }),
    ...(spec.unlabelled ? { SecurityOpt: ["label=disable"] } : {}),
    ...(spec.hostCgroupNamespace ? { CgroupnsMode: "host" } : {}),
  };
  return {
    Image: spec.image,
    // Instead of the image's; an empty one would leave it to the image's command what runs.
    Entrypoint: [program],
    Cmd: args,
    Env: Object.entries(spec.env ?? {}).map(([name, value]) => `${name}=${value}`),
    Labels: spec.labels,
    ...defined({ StopTimeout: spec.stopGraceSeconds }),
    HostConfig: hostConfig,
  };
}

function openFilesLimit(limit: number) {
  return { Name: "nofile", Soft: limit, Hard: limit };
}

function bindText({ source, target, readOnly, propagation }: Bind): string {
  const modes = [...(readOnly ? ["ro"] : []), ...(propagation === undefined ? [] : [propagation])];
  return [source, target, ...(modes.length > 0 ? [modes.join(",")] : [])].join(":");
}
