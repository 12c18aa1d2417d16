import { expect, it } from "vitest";
import { negotiateApiVersion } from "../../src/docker/negotiateApiVersion.js";

const daemon = (apiVersion: string, minApiVersion: string) => ({
  version: "1.2.3",
  apiVersion,
  minApiVersion,
  os: "linux",
  architecture: "amd64",
});

it.each([
  ["Docker 19.03, too old for us to run on but not to be told so", "1.40", "1.12", "1.40"],
  ["Docker 20.10", "1.41", "1.12", "1.41"],
  ["Docker 24", "1.43", "1.12", "1.43"],
  ["Docker 26.1", "1.45", "1.24", "1.45"],
  ["Docker 27", "1.47", "1.24", "1.47"],
  ["Docker 28.5", "1.51", "1.24", "1.49"],
  ["Docker 29", "1.52", "1.44", "1.49"],
  ["a Docker whose oldest is our newest", "1.60", "1.49", "1.49"],
  ["Docker 1.12, of the time of Kubernetes v1.4", "1.24", "1.12", "1.24"],
  ["a daemon of the time before minor versions had two digits", "1.9", "1.1", "1.9"],
])("speaks the newest that both know: %s", (_name, apiVersion, minApiVersion, negotiated) => {
  expect(negotiateApiVersion(daemon(apiVersion, minApiVersion), "unix:///x")).toBe(negotiated);
});

it("refuses a daemon that knows nothing as old as we", () => {
  expect(() => negotiateApiVersion(daemon("1.70", "1.50"), "unix:///x")).toThrow(
    expect.objectContaining({ kind: "environment", problems: [expect.objectContaining({ code: "DOCKER_TOO_NEW" })] }) as Error,
  );
});
