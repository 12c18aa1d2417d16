import { describe, expect, test } from "vitest";
import { podResolvConf, podResolver } from "../../src/kubernetes/podResolver.js";
import { paths } from "../../src/model/hostLayout.js";
import { containersOf, filesOf } from "../../src/plan/diff.js";
import { planWorker } from "../../src/plan/planWorker.js";
import { workerInput, workerOptions } from "../plan/fixtures.js";

const config = { clusterDns: "10.96.0.10" };
const of = (...resolverLines: string[]) => {
  const host = { resolvConf: "/etc/resolv.conf", resolverLines };
  const resolver = podResolver(host, config, "10.0.0.5");
  expect(podResolvConf(host, config)).toBe(resolver.path);
  return resolver;
};

test("servers that pods reach are left to the host's own file, which may change", () => {
  expect(of("search lan", "nameserver 10.0.0.1", "nameserver fd00::1")).toEqual({ path: "/etc/resolv.conf" });
});

test("of a host of which nothing is known nothing is said", () => {
  expect(podResolver({ resolvConf: "/etc/resolv.conf" }, config, "10.0.0.5")).toEqual({ path: "/etc/resolv.conf" });
});

describe("a server that would be the pod itself", () => {
  test.each(["127.0.0.1", "127.0.1.1", "127.0.0.53", "::1", "0.0.0.0", "::ffff:127.0.0.1", "10.96.0.10"])(
    "%s alone gives way to the node's address, where the host's server may listen",
    (server) => {
      const { path, file, warning } = of("search lan", `nameserver ${server}`, "options edns0");
      expect([path, file?.path]).toEqual([paths.resolvConf, paths.resolvConf]);
      expect(file?.content).toBe("search lan\noptions edns0\nnameserver 10.0.0.5\n");
      expect(warning).toContain(`nameserver ${server}: they ask 10.0.0.5`);
      expect(warning).toContain("resolv-conf: FILE");
    },
  );

  test("is left out beside others: CoreDNS asks each of them in turn", () => {
    const { file, warning } = of("nameserver 127.0.0.1", "nameserver 9.9.9.9");
    expect(file?.content).toBe("nameserver 9.9.9.9\n");
    expect(warning).toBe("Pods do not reach the host's nameserver 127.0.0.1: they ask 9.9.9.9.");
  });
});

test("without any server CoreDNS starts all the same, and the owner is told", () => {
  const { file, warning } = of("search lan");
  expect(file?.content).toBe("search lan\nnameserver 10.0.0.5\n");
  expect(warning).toContain("has no nameserver");
});

describe("a node's plan", () => {
  const planWith = (resolverLines: string[], options: Partial<typeof workerOptions> = {}, version = "v1.20.2") => {
    const { host } = workerInput.observed;
    return planWorker({
      ...workerInput,
      config: { ...workerInput.config, version, network: "flannel" },
      options: { ...workerOptions, ...options },
      observed: { ...workerInput.observed, host: { ...host, resolverLines } },
    });
  };

  test("has the file, and a kubelet that takes it, in a file or by a flag", () => {
    const plan = planWith(["nameserver 127.0.0.1"]);
    const contentOf = (path: string) => filesOf(plan).find((file) => file.path === path)?.content;
    expect(contentOf(paths.resolvConf)).toBe("nameserver 10.0.0.6\n");
    expect(contentOf(paths.kubeletConfig)).toContain(`resolvConf: ${paths.resolvConf}`);
    const old = containersOf(planWith(["nameserver 127.0.0.1"], {}, "v1.3.6")).flatMap(({ command }) => command);
    expect(old).toContain(`--resolv-conf=${paths.resolvConf}`);
    expect(plan.warnings).toHaveLength(1);
  });

  test("says nothing to who names a file for pods himself", () => {
    expect(planWith(["nameserver 127.0.0.1"], { extraArgs: { kubelet: { "resolv-conf": "/x" } } }).warnings).toEqual([]);
  });

  test("removes the file when the host's own will do again", () => {
    const files = new Map([[paths.resolvConf, { mode: 0o644, content: "" }]]);
    const plan = planWorker({ ...workerInput, observed: { ...workerInput.observed, files } });
    const removed = plan.steps.flatMap(({ action }) => (action.kind === "remove-files" ? action.paths : []));
    expect(removed).toContain(paths.resolvConf);
  });
});
