import { describe, expect, it } from "vitest";
import { buildProxies } from "../../src/image/buildProxies.js";
import { prepareBase } from "../../src/image/prepareBase.js";
import { EngineError, type ContainerEngine } from "../../src/docker/containerEngine.js";
import { featuresOf } from "../../src/kubernetes/versions.js";
import { fakeEngine, fakeImage } from "../docker/fakeEngine.js";

const debian = "debian:trixie-slim";
const proxy = "http://me:s%23cret@proxy.lab:3128";

/** Builds on Debian with these proxies; apt fails, and says what the builder was told. */
async function failingBuild(env: NodeJS.ProcessEnv) {
  const built: Parameters<ContainerEngine["buildImage"]>[1][] = [];
  const said: string[] = [];
  const engine: ContainerEngine = {
    ...fakeEngine({ images: [fakeImage(debian)] }),
    buildImage: async (_context, options) => {
      built.push(options);
      const line = `cannot use ${env["HTTP_PROXY"] ?? ""} (s#cret)`;
      options.onLine(line);
      return Promise.reject(new EngineError(0, line));
    },
  };
  const context = {
    env,
    report: (event: object) => void said.push(JSON.stringify(event)),
    signal: new AbortController().signal,
  };
  const features = featuresOf("v1.36.2");
  const request = { reference: debian, features, architecture: "amd64" as const, isForeign: false };
  const error = await prepareBase(engine, request, context).catch((reason: unknown) => reason as Error);
  return { args: built[0]?.buildArgs, said: said.join("\n"), error: error as Error };
}

describe("packages of a base", () => {
  it("come by the operator's proxies, but for what is not to be reached by them", async () => {
    const env = { HTTP_PROXY: proxy, https_proxy: "http://other:1", NO_PROXY: "lab,10.0.0.0/8" };
    const { args } = await failingBuild(env);
    const noProxy = "localhost,127.0.0.0/8,::1,lab,10.0.0.0/8";
    expect(args).toEqual({
      http_proxy: proxy,
      HTTP_PROXY: proxy,
      https_proxy: "http://other:1",
      HTTPS_PROXY: "http://other:1",
      no_proxy: noProxy,
      NO_PROXY: noProxy,
    });
  });

  it("come without one where there is none", async () => {
    expect((await failingBuild({ NO_PROXY: "lab" })).args).toEqual({});
  });

  it("cannot come by a proxy on the own loopback, which is told", async () => {
    for (const own of ["http://127.0.0.1:3128", "localhost:3128", "http://me:s@[::1]:3128/"]) {
      const { args, said } = await failingBuild({ HTTP_PROXY: own, HTTPS_PROXY: "http://proxy.lab:1" });
      expect(Object.keys(args ?? {})).toEqual(["https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"]);
      expect(said).toContain("loopback");
    }
  });

  it("that do not come are told without the proxy's password", async () => {
    const { said, error } = await failingBuild({ HTTP_PROXY: proxy });
    const message = expect.stringContaining("proxy.lab:3128") as string;
    expect(error).toMatchObject({ problems: [{ code: "BUILD_FAILED", message }] });
    expect(`${said} ${error.message} ${String(error.cause)}`).not.toMatch(/s%23cret|s#cret/);
  });
});

describe("a proxy's password", () => {
  it("is concealed also where it is no well-formed URL", () => {
    expect(buildProxies({ HTTP_PROXY: "me:%zz@lab:1" }).conceal("by me:%zz@lab:1 and %zz")).toBe("by …@lab:1 and …");
  });

  it("may be missing", () => {
    expect(buildProxies({ HTTP_PROXY: "http://me@lab:1" }).conceal("by me@lab:1")).toBe("by …@lab:1");
  });
});
