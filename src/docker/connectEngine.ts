import type { ContainerEngine } from "./containerEngine.js";
export async function connectEngine(o: { dockerHost?: string; dockerContext?: string }, env: NodeJS.ProcessEnv): Promise<ContainerEngine> {
  const { default: Docker } = await import("dockerode");
  const { DockerEngine } = await import("./dockerEngine.js");
  const host = o.dockerHost ?? env["DOCKER_HOST"] ?? "unix:///var/run/docker.sock";
  const probe = new Docker({ socketPath: host.slice(7) });
  const v = await probe.version();
  return new DockerEngine(host, new Docker({ socketPath: host.slice(7), version: `v${v.ApiVersion}` }));
}
