import { expect, it } from "vitest";
import { containerBody } from "../../src/docker/containerBody.js";
import type { ContainerSpec } from "../../src/model/containerSpec.js";

const spec: ContainerSpec = {
  component: "kubelet",
  image: "tsdeploy/hyperkube:v1.20.2",
  command: ["/usr/local/bin/kubelet", "--v=2"],
  env: { A: "1=2" },
  binds: [
    { source: "/var/lib/kubelet", target: "/var/lib/kubelet", propagation: "rshared" },
    { source: "/lib/modules", target: "/lib/modules", readOnly: true, propagation: "rslave" },
    { source: "/sys", target: "/sys" },
  ],
  labels: { "io.tsdeploy.component": "kubelet" },
  hostPid: true,
  privileged: true,
  hostCgroupNamespace: true,
  restartPolicy: "unless-stopped",
  stopGraceSeconds: 5,
};

it("is what Docker's API wants", () => {
  expect(containerBody(spec)).toEqual({
    Image: "tsdeploy/hyperkube:v1.20.2",
    Entrypoint: ["/usr/local/bin/kubelet"],
    Cmd: ["--v=2"],
    Env: ["A=1=2"],
    Labels: { "io.tsdeploy.component": "kubelet" },
    StopTimeout: 5,
    HostConfig: {
      NetworkMode: "host",
      PidMode: "host",
      CgroupnsMode: "host",
      Privileged: true,
      Binds: ["/var/lib/kubelet:/var/lib/kubelet:rshared", "/lib/modules:/lib/modules:ro,rslave", "/sys:/sys"],
      RestartPolicy: { Name: "unless-stopped" },
      AutoRemove: false,
    },
  });
});

it("asks for nothing of the host's that the spec does not have", () => {
  const body = containerBody({ ...spec, hostPid: false, hostCgroupNamespace: false, privileged: false });
  expect(body.HostConfig).not.toHaveProperty("PidMode");
  expect(body.HostConfig).not.toHaveProperty("CgroupnsMode");
  expect(body.HostConfig.Privileged).toBe(false);
});

it("asks for a limit of open files, soft and hard", () => {
  expect(containerBody({ ...spec, openFiles: 4096 }).HostConfig).toMatchObject({
    Ulimits: [{ Name: "nofile", Soft: 4096, Hard: 4096 }],
  });
  expect(containerBody(spec).HostConfig).not.toHaveProperty("Ulimits");
});

it("has no SELinux label if it is to have none", () => {
  expect(containerBody({ ...spec, unlabelled: true }).HostConfig).toMatchObject({ SecurityOpt: ["label=disable"] });
  expect(containerBody(spec).HostConfig).not.toHaveProperty("SecurityOpt");
});

it("has only helpers removed when they end", () => {
  expect(containerBody({ ...spec, restartPolicy: "no" }).HostConfig.AutoRemove).toBe(false);
  expect(containerBody({ ...spec, component: "helper", restartPolicy: "no" }).HostConfig.AutoRemove).toBe(true);
});
