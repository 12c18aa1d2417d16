import { describe, expect, it } from "vitest";
import { EngineError } from "../../src/docker/containerEngine.js";
import { pullFailure } from "../../src/docker/pullFailure.js";

const lookup = "dial tcp: lookup example.invalid on 10.0.0.53:53: no such host";

/** As Docker 20.10, 26.1 and 28.5 said it; `containerd` is 28.5 with the containerd image store. */
const recorded: [code: string, retryable: boolean, where: string, text: string][] = [
  ["IMAGE_NOT_FOUND", false, "20.10", "manifest for 127.0.0.1:5000/a:1 not found: manifest unknown: manifest unknown"],
  ["IMAGE_NOT_FOUND", false, "28.5", "name unknown: repository name not known to registry"],
  ["IMAGE_NOT_FOUND", false, "containerd", 'failed to resolve reference "127.0.0.1:5000/a:1": 127.0.0.1:5000/a:1: not found'],
  [
    "IMAGE_NOT_FOUND",
    false,
    "20.10, Docker Hub",
    "pull access denied for a/b, repository does not exist or may require 'docker login': denied: requested access to the resource is denied",
  ],
  [
    "IMAGE_NOT_FOUND",
    false,
    "containerd, Docker Hub",
    'failed to resolve reference "docker.io/a/b:latest": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed',
  ],
  ["IMAGE_UNAUTHORIZED", false, "20.10", 'Head "http://127.0.0.1:5000/v2/a/manifests/1": no basic auth credentials'],
  ["IMAGE_UNAUTHORIZED", false, "26.1", 'Head "https://r/v2/a/manifests/1": unauthorized: authentication required'],
  ["IMAGE_UNAUTHORIZED", false, "20.10", "unauthorized: incorrect username or password"],
  ["IMAGE_UNAUTHORIZED", false, "28.5", "denied: requested access to the resource is denied"],
  [
    "IMAGE_UNAUTHORIZED",
    false,
    "containerd",
    'failed to resolve reference "127.0.0.1:5000/a:1": pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials',
  ],
  [
    "IMAGE_UNAUTHORIZED",
    false,
    "containerd",
    'unknown: failed to resolve reference "127.0.0.1:5000/a:1": unexpected status from HEAD request to http://127.0.0.1:5000/v2/a/manifests/1: 403 Forbidden',
  ],
  ["IMAGE_PLATFORM", false, "20.10", "no matching manifest for linux/amd64 in the manifest list entries"],
  [
    "IMAGE_PLATFORM",
    false,
    "containerd",
    "no matching manifest for linux/arm64/v8 in the manifest list entries: no match for platform in manifest: not found",
  ],
  [
    "IMAGE_FORMAT_OLD",
    false,
    "26.1",
    "[DEPRECATION NOTICE] Docker Image Format v1 and Docker Image manifest version 2, schema 1 support is disabled by default and will be removed in an upcoming release. Suggest the author of gcr.io/a/b:1 to upgrade the image",
  ],
  [
    "IMAGE_FORMAT_OLD",
    false,
    "containerd",
    'not implemented: media type "application/vnd.docker.distribution.manifest.v1+prettyjws" is no longer supported since containerd v2.1, please rebuild the image as "application/vnd.docker.distribution.manifest.v2+json"',
  ],
  [
    "IMAGE_FORMAT_OLD",
    false,
    "28.2",
    "Docker Image Format v1 and Docker Image manifest version 2, schema 1 support has been removed. Suggest the author of gcr.io/a/b:1 to upgrade the image to the OCI Format or Docker Image manifest v2, schema 2. More information at https://docs.docker.com/go/deprecated-image-specs/",
  ],
  [
    "IMAGE_FORMAT_OLD",
    false,
    "containerd 2.0",
    'failed to get converter for "gcr.io/a/b:1": Pulling Schema 1 images have been deprecated and disabled by default since containerd v2.0. As a workaround you may set an environment variable `CONTAINERD_ENABLE_DEPRECATED_PULL_SCHEMA_1_IMAGE=1`, but this will be completely removed in containerd v2.1.',
  ],
  ["REGISTRY_UNREACHABLE", true, "20.10", 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused'],
  [
    "REGISTRY_UNREACHABLE",
    true,
    "20.10",
    'Get "https://r/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded while awaiting headers)',
  ],
  [
    "REGISTRY_UNREACHABLE",
    true,
    "containerd",
    'failed to resolve reference "127.0.0.1:1/a:1": failed to do request: Head "https://127.0.0.1:1/v2/a/manifests/1": dial tcp 127.0.0.1:1: connect: connection refused',
  ],
  ["REGISTRY_UNREACHABLE", false, "28.5", `Get "https://example.invalid/v2/": ${lookup}`],
  ["REGISTRY_UNREACHABLE", false, "20.10", 'Get "https://10.0.0.1:5000/v2/": x509: certificate signed by unknown authority'],
  ["REGISTRY_UNREACHABLE", false, "26.1", 'Get "https://10.0.0.1:5000/v2/": http: server gave HTTP response to HTTPS client'],
  ["REGISTRY_RATE_LIMIT", false, "20.10", "toomanyrequests: You have reached your pull rate limit."],
  [
    "REGISTRY_RATE_LIMIT",
    false,
    "containerd",
    'unknown: failed to resolve reference "r/a:1": unexpected status from HEAD request to http://r/v2/a/manifests/1: 429 Too Many Requests',
  ],
  ["PULL_BROKEN", true, "20.10", 'Head "http://127.0.0.1:5000/v2/a/manifests/1": EOF'],
  ["PULL_BROKEN", true, "20.10", "expected HTTP 206 from byte range request"],
  [
    "PULL_BROKEN",
    true,
    "containerd",
    'failed to resolve reference "docker.io/a/b:1": failed to authorize: failed to fetch anonymous token: Get "https://auth.docker.io/token?scope=repository%3Aa%2Fb%3Apull&service=registry.docker.io": EOF',
  ],
  ["PULL_BROKEN", true, "28.5", "error pulling image configuration: download failed after attempts=6: unexpected EOF"],
  ["PULL_BROKEN", true, "20.10", `filesystem layer verification failed for digest sha256:${"404".repeat(21)}0`],
  ["PULL_BROKEN", true, "26.1", "received unexpected HTTP status: 503 Service Unavailable"],
  ["PULL_BROKEN", true, "containerd", "short read: expected 300263 bytes but got 150131: unexpected EOF"],
  [
    "PULL_BROKEN",
    true,
    "containerd",
    `failed commit on ref "layer-sha256:27b7": commit failed: unexpected commit digest sha256:d65c, expected sha256:27b7: failed precondition`,
  ],
  ["PULL_BROKEN", true, "20.10", "read tcp 10.0.0.2:4000->10.0.0.1:5000: read: connection reset by peer"],
  [
    "DOCKER_DISK_FULL",
    false,
    "20.10",
    "write /var/lib/docker/tmp/GetImageBlob0123: no space left on device",
  ],
  ["PULL_FAILED", false, "any", "something that nobody has seen yet"],
];

describe("the daemon's words mean", () => {
  it.each(recorded)("%s (to be tried again: %s), Docker %s: %s", (code, retryable, _where, text) => {
    const failure = pullFailure("example.com/a:1", new EngineError(500, text));
    expect(failure.error.problems).toEqual([
      { code, message: expect.stringContaining(text) as string, hint: expect.stringMatching(/.{10}/) as string },
    ]);
    expect(failure.retryable).toBe(retryable);
  });
});

it("is not misled by the image's own name", () => {
  const reference = "unauthorized.example.com/x509-denied/not-found:401";
  const { error } = pullFailure(reference, new EngineError(500, `Get "https://${reference}": EOF`));
  expect(error.problems[0]?.code).toBe("PULL_BROKEN");
});

it("tells who has to act by its exit code", () => {
  const exitCode = (text: string) => pullFailure("a", new EngineError(500, text)).error.exitCode;
  expect(exitCode("manifest unknown")).toBe(3);
  expect(exitCode("no basic auth credentials")).toBe(5);
});
