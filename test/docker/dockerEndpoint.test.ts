import { describe, expect, it } from "vitest";
import { isReadableOnTheWay, parseDockerEndpoint } from "../../src/docker/dockerEndpoint.js";
import { TsdeployError } from "../../src/model/errors.js";

describe("an endpoint", () => {
  it.each([
    ["unix:///run/docker.sock", { kind: "unix", display: "unix:///run/docker.sock", socketPath: "/run/docker.sock" }],
    ["unix://", { kind: "unix", display: "unix:///var/run/docker.sock", socketPath: "/var/run/docker.sock" }],
    ["tcp://10.0.0.5:2375", { kind: "tcp", display: "tcp://10.0.0.5:2375", host: "10.0.0.5", port: 2375 }],
    ["tcp://docker.example.com", { kind: "tcp", display: "tcp://docker.example.com", host: "docker.example.com" }],
    ["10.0.0.5:80", { kind: "tcp", display: "tcp://10.0.0.5:80", host: "10.0.0.5", port: 80 }],
    ["tcp://[fd00::5]:2376/", { kind: "tcp", display: "tcp://[fd00::5]:2376", host: "fd00::5", port: 2376 }],
    [
      "ssh://Machine_1",
      { kind: "ssh", display: "ssh://Machine_1", host: "Machine_1", remoteSocketPath: "/var/run/docker.sock" },
    ],
    [
      "ssh://root@[fd00::5]:2222/run/user/0/docker.sock",
      {
        kind: "ssh",
        display: "ssh://root@[fd00::5]:2222/run/user/0/docker.sock",
        host: "fd00::5",
        user: "root",
        port: 2222,
        remoteSocketPath: "/run/user/0/docker.sock",
      },
    ],
  ])("%s", (text, endpoint) => {
    expect(parseDockerEndpoint(text)).toEqual(endpoint);
  });
});

describe("no endpoint", () => {
  it.each([
    "http://10.0.0.5:2375",
    "npipe:////./pipe/docker_engine",
    "unix://relative.sock",
    "tcp://",
    "tcp://host:99999",
    "tcp://user@host:2375",
    "tcp://host:2375/path",
    "ssh://",
    "ssh://-oProxyCommand=id",
    "ssh://host?x=y",
    "ho st:2375",
  ])("is %s", (text) => {
    expect(() => parseDockerEndpoint(text)).toThrow(
      expect.objectContaining({ kind: "usage", problems: [expect.objectContaining({ code: "DOCKER_HOST_INVALID" })] }) as Error,
    );
  });

  it("repeats a password", () => {
    expect.assertions(2);
    try {
      parseDockerEndpoint("ssh://root:secret@host");
    } catch (error) {
      expect(error).toBeInstanceOf(TsdeployError);
      expect(JSON.stringify((error as TsdeployError).problems)).not.toContain("secret");
    }
  });
});

describe("what passes can be read by others", () => {
  it.each(["tcp://10.0.0.5:2375", "10.0.0.5:2375", "tcp://[fd00::5]:2375", "tcp://docker.example.com", "tcp://localhost.example.com"])(
    "on %s",
    (text) => {
      expect(isReadableOnTheWay(parseDockerEndpoint(text))).toBe(true);
    },
  );

  it.each(["tcp://127.0.0.1:2375", "tcp://127.1.2.3", "tcp://[::1]:2375", "tcp://localhost:2375", "unix://", "ssh://10.0.0.5"])(
    "but not on %s",
    (text) => {
      expect(isReadableOnTheWay(parseDockerEndpoint(text))).toBe(false);
    },
  );

  it("nor with TLS", () => {
    const endpoint = { kind: "tcp", display: "tcp://10.0.0.5", host: "10.0.0.5", tls: { verify: true } } as const;
    expect(isReadableOnTheWay(endpoint)).toBe(false);
  });
});
