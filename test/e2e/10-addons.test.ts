import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "./support/eventually.js";
import { differences, footprint, savedFootprint } from "./support/footprint.js";
import { type Machine, machine1, machine2 } from "./support/machine.js";
import {
  apply,
  hasCoredns,
  image,
  kubectl,
  said,
  tryKubectl,
  tryTsdeploy,
  tsdeploy,
  version,
  workFolder,
} from "./support/operator.js";
import { nodesReady, routePods, toolbox, unroutePods } from "./support/workload.js";

const both = [machine1, machine2];
const folder = join(workFolder, "addons");
const addonsOnHost = "/etc/kubernetes/addons";

/** A ConfigMap as a file of the folder of `--addons`. */
function write(name: string, object: unknown): void {
  writeFileSync(join(folder, name), typeof object === "string" ? object : JSON.stringify(object));
}

function configMap(name: string, data = "1", labels = {}): object {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace: "default", labels }, data: { data } };
}

async function dataOf(name: string): Promise<string> {
  return kubectl(["get", "configmap", name, "-o", "jsonpath={.data.data}"]);
}

async function isGone(name: string): Promise<void> {
  await eventually(`ConfigMap ${name} is gone`, async () => {
    if ((await tryKubectl(["get", "configmap", name])).exitCode === 0) throw new Error("it is there");
  });
}

/** What a pod on that machine takes a name for. */
async function resolved({ name }: Machine, what: string): Promise<string> {
  const [address = ""] = (await kubectl(["exec", `tools-${name}`, "--", "getent", "hosts", what])).split(/\s+/);
  return address;
}

/** The image that metrics-server's pods run from here. */
async function metricsImage(): Promise<string> {
  const asked = ["image", "list", "--needed", "--addon", "metrics-server", "--k8s-version", version, "--output", "json"];
  const { images } = JSON.parse((await tsdeploy(asked, { machine: machine1 })).stdout) as {
    readonly images: readonly { readonly reference: string; readonly what: string }[];
  };
  return images.find(({ what }) => what === "metrics-server")?.reference ?? "";
}

/** A script that makes an image of that name, whose program ends at once. */
function makeBroken(reference: string): string {
  return `
    id=$(docker create ${image})
    docker commit --change 'ENTRYPOINT ["bash", "-c", "echo of no use; exit 3"]' $id ${reference}
    docker rm $id`;
}

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
});

describe("a master with objects of the person's own", () => {
  it("is refused by what is no object, with every mistake, before anything is touched", async () => {
    write("broken.yaml", "a: [");
    write("nameless.json", { apiVersion: "v1", kind: "ConfigMap", metadata: {} });
    const result = await tryTsdeploy(["master", "--addons", folder], { machine: machine1 });
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain("broken.yaml");
    expect(result.stderr).toContain("nameless.json");
    expect(differences(savedFootprint(machine1), await footprint(machine1))).toEqual([]);
    rmSync(join(folder, "broken.yaml"));
    rmSync(join(folder, "nameless.json"));
  });

  it("never writes over a file that is the host owner's", async () => {
    write("owners.json", configMap("not-the-owners"));
    const result = await tryTsdeploy(["master", "--addons", folder], { machine: machine1 });
    expect(result.exitCode).toBe(4);
    expect(result.stderr).toContain(`${addonsOnHost}/owners.json`);
    expect(differences(savedFootprint(machine1), await footprint(machine1))).toEqual([]);
    rmSync(join(folder, "owners.json"));
  });

  it("comes up, and a worker joins", async () => {
    write("one.yaml", `# the first\n---\n${JSON.stringify(configMap("one"))}\n---\n${JSON.stringify(configMap("two"))}\n`);
    write("three.json", configMap("three"));
    const result = await tsdeploy(["master", "--addons", folder], { machine: machine1 });
    if (hasCoredns()) expect(said(result)).toMatch(/^ *dns +\d/m);
    await tsdeploy(["worker", "--master", machine1.address], { machine: machine2 });
    await nodesReady(both);
    await routePods();
    await eventually("the folder's objects", async () => {
      for (const name of ["one", "two", "three"]) expect(await dataOf(name)).toBe("1");
    });
  });

  it("follows the folder: what changes is changed, what has left is removed, and nothing else", async () => {
    // As upstream's add-ons say it, which people apply by themselves.
    await apply(configMap("applied-by-hand", "1", { "kubernetes.io/cluster-service": "true" }));
    write("one.yaml", configMap("one", "2"));
    rmSync(join(folder, "three.json"));
    await tsdeploy(["master", "--addons", folder], { machine: machine1 });
    await eventually("the change", async () => {
      expect(await dataOf("one")).toBe("2");
    });
    await isGone("two");
    await isGone("three");
    expect(await dataOf("applied-by-hand")).toBe("1");
    expect(await machine1.sh(`ls ${addonsOnHost}`)).not.toContain("three.json");
  });

  it("changes nothing by another run", async () => {
    const result = await tsdeploy(["master"], { machine: machine1 });
    expect(said(result)).toContain("Nothing to change");
    expect(await dataOf("one")).toBe("2");
  });

  it("keeps to the others when somebody lays a broken file there by hand", async () => {
    await machine1.sh(`echo 'a: [' >${addonsOnHost}/broken.yaml`);
    await kubectl(["delete", "configmap", "one"]);
    await eventually("one is back", async () => {
      expect(await dataOf("one")).toBe("2");
    });
    await eventually("the log names it", async () => {
      expect(said(await tsdeploy(["logs", "kube-addon-manager"], { machine: machine1 }))).toContain("broken.yaml");
    });
    await machine1.sh(`rm ${addonsOnHost}/broken.yaml`);
  });
});

describe("add-ons that come with tsdeploy", () => {
  it("are listed", async () => {
    const { stdout } = await tsdeploy(["addon", "list"], { machine: machine1 });
    for (const name of ["coredns", "metrics-server", "dashboard"]) expect(stdout).toContain(name);
  });

  it.each([
    ["one that there is not, with those that there are", "nonsense", 2, /coredns.*metrics-server/s],
    ["one that is not for this Kubernetes, with the reason", "dashboard", 2, /v1\.16/],
  ])("refuse %s", async (_, name, exitCode, reason) => {
    const result = await tryTsdeploy(["addon", "enable", name], { machine: machine1 });
    expect(result.exitCode, said(result)).toBe(exitCode);
    expect(result.stderr).toMatch(reason);
  });

  it("are not turned on if their pods do not work: it says what they do, and takes all back", async () => {
    const standIn = await metricsImage();
    for (const machine of both) await machine.sh(makeBroken(standIn));
    const failed = await tryTsdeploy(["addon", "enable", "metrics-server", "--timeout", "30s"], { machine: machine1 });
    expect(failed.stderr).toContain("POD_CRASH");
    expect(failed.stderr).toMatch(/pod metrics-server-\S+ is not ready: (CrashLoopBackOff|ended with status 3)/);
    expect(failed.exitCode).toBe(6);
    expect(said(await tsdeploy(["master"], { machine: machine1 }))).toContain("Nothing to change");
    await eventually("nothing of it is there", async () => {
      const all = ["get", "service,deployment,pod", "-n", "kube-system", "-l", "k8s-app=metrics-server", "-o", "name"];
      expect(await kubectl(all)).toBe("");
    });
    for (const machine of both) {
      // The kubelet removes containers of a pod after the pod.
      await eventually(`${machine.name} has no stand-in`, () => machine.sh(`docker rmi ${standIn}`));
    }
  });
});

const withDns = (): void => {
  beforeAll(async () => {
    await apply(...both.map((machine) => toolbox(`tools-${machine.name}`, machine, { hostNetwork: false })));
    await kubectl(["wait", "--for=condition=Ready", "pod", ...both.map(({ name }) => `tools-${name}`)]);
  });
  afterAll(async () => {
    await kubectl(["delete", "pod", ...both.map(({ name }) => `tools-${name}`)]);
  });

  it.each(both.map((machine) => [machine.name, machine] as const))("answers pods on %s", async (_, machine) => {
    const api = await kubectl(["get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}"]);
    await eventually("names resolve", async () => {
      expect(await resolved(machine, "kubernetes.default.svc.cluster.local")).toBe(api);
      expect(await resolved(machine, "kubernetes.default")).toBe(api);
    });
  });

  it("has a replica on each of the two nodes", async () => {
    await eventually("two replicas, apart", async () => {
      const of = ["-n", "kube-system", "-l", "k8s-app=kube-dns"];
      const nodes = (await kubectl(["get", "pods", ...of, "-o", "jsonpath={.items[*].spec.nodeName}"])).split(" ");
      expect(nodes.sort()).toEqual(both.map(({ name }) => name));
    });
  });

  it("goes by --no-dns and comes back by an add-on's own command", async () => {
    await tsdeploy(["master", "--no-dns"], { machine: machine1 });
    expect((await tryKubectl(["get", "service", "-n", "kube-system", "kube-dns"])).exitCode).toBe(1);
    await tsdeploy(["addon", "enable", "coredns"], { machine: machine1 });
    await eventually("names resolve again", async () => {
      expect(await resolved(machine1, "kubernetes.default")).not.toBe("");
    });
  });
};

const withoutDns = (): void => {
  it("is not there, and later runs leave it so", async () => {
    await tsdeploy(["master"], { machine: machine1, env: { TSDEPLOY_DNS: "" } });
    expect((await tryKubectl(["get", "service", "-n", "kube-system", "kube-dns"])).exitCode).toBe(1);
    expect(await machine1.sh(`ls ${addonsOnHost}`)).not.toContain("coredns");
  });
};

// A case that is skipped counts as failed.
describe("DNS", hasCoredns() ? withDns : withoutDns);

describe("teardown", () => {
  it("leaves nothing of it", async () => {
    await tsdeploy(["teardown", "--yes"], { machine: machine2 });
    await tsdeploy(["teardown", "--yes", "--purge"], { machine: machine1 });
    await unroutePods();
    for (const machine of both) {
      expect(differences(savedFootprint(machine), await footprint(machine)), machine.name).toEqual([]);
    }
  });
});
