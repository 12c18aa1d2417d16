import { execFile, spawn } from "node:child_process";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { runScript, scriptPath, startScript } from "./runScript.js";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tsdeploy-start-"));
});
afterEach(() => rm(folder, { recursive: true }));

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
}

test("becomes the program, with its arguments as they are and its exit code", async () => {
  const result = await runScript("start", "--", "bash", "-c", 'printf "%s|" "$@"; exit 7', "-", "a b", "--file", "*");
  expect(result).toEqual({ code: 7, stdout: "a b|--file|*|", stderr: "" });
});

test("lets the program open as many files as its container may", async () => {
  const limits = 'ulimit -Sn 100; ulimit -Hn 4000; exec bash "$0" -- bash -c "ulimit -Sn; ulimit -Hn"';
  const { stdout } = await promisify(execFile)("bash", ["-c", limits, scriptPath("start")]);
  expect(stdout).toBe("4000\n4000\n");
});

test("waits for a file until it has content", async () => {
  const file = join(folder, "file");
  await writeFile(file, "");
  const { child, done } = startScript("start", ["--file", file, "--", "cat", file]);
  // An early start would print nothing.
  await writeFile(file, "content");
  expect(await done).toMatchObject({ code: 0, stdout: "content" });
  expect(child.exitCode).toBe(0);
});

test("waits for a port", async () => {
  const closed = createServer();
  const port = await listen(closed);
  await new Promise((resolve) => closed.close(resolve));
  const { child, done } = startScript("start", ["--tcp", `127.0.0.1:${port}`, "--", "echo", "started"]);
  const server = createServer((socket) => socket.end());
  let connected = 0;
  server.on("connection", () => connected++);
  expect(child.exitCode).toBeNull();
  server.listen(port, "127.0.0.1");
  expect(await done).toMatchObject({ code: 0, stdout: "started\n" });
  expect(connected).toBe(1);
  server.close();
});

test("asks less often where a try takes long", async () => {
  const [bin, log] = [join(folder, "bin"), join(folder, "log")];
  await mkdir(bin);
  const slow = `#!/bin/sh\necho $(($(date +%s%N) / 1000000)) >>${log}\nsleep 0.3\n[ $(wc -l <${log}) -ge 3 ]\n`;
  await writeFile(join(bin, "socat"), slow, { mode: 0o755 });
  await startScript("start", ["--socket", join(folder, "socket"), "--", "true"], bin).done;
  const [first = 0, second = 0, third = 0] = (await readFile(log, "utf8")).split("\n").map(Number);
  expect(Math.min(second - first, third - second)).toBeGreaterThan(1400);
});

test.each([
  ["to be healthy", 200, "ok"],
  ["to answer strangers, if only that it does not know them", 401, "Unauthorized"],
])("waits for an API server %s, not just to accept", async (_, status, text) => {
  const { createServer: createHttps } = await import("node:https");
  const { execFileSync } = await import("node:child_process");
  execFileSync("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x"],
    ...["-keyout", join(folder, "key"), "-out", join(folder, "crt")],
  ]);
  const { readFileSync } = await import("node:fs");
  const asked: string[] = [];
  const server = createHttps({ key: readFileSync(join(folder, "key")), cert: readFileSync(join(folder, "crt")) });
  server.on("request", (request, response) => {
    asked.push(request.url ?? "");
    const isUp = asked.length === 3;
    response.writeHead(isUp ? status : 500).end(isUp ? text : "not yet");
  });
  const port = await listen(server);
  const result = await runScript("start", "--api", `https://127.0.0.1:${port}`, "--", "echo", "started");
  expect(result).toEqual({ code: 0, stdout: "started\n", stderr: "" });
  expect(asked).toHaveLength(3);
  expect(asked[0]).toMatch(/^\/healthz/);
  server.close();
});

/** As far as the script uses it; it notes its tries. */
const socat = `#!/usr/bin/env node
require("node:fs").appendFileSync(process.argv[1] + ".log", "tried\\n");
const path = process.argv.find((word) => word.startsWith("UNIX-CONNECT:")).slice("UNIX-CONNECT:".length);
require("node:net").connect(path, () => process.exit(0)).on("error", () => process.exit(1));
`;

/** A folder of programs that stand in for the image's. */
async function programs(texts: Readonly<Record<string, string>>): Promise<string> {
  const bin = join(folder, "bin");
  await mkdir(bin);
  for (const [name, text] of Object.entries(texts)) await writeFile(join(bin, name), text, { mode: 0o755 });
  return bin;
}

function listenOn(path: string): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((socket) => socket.end());
    server.listen(path, () => {
      resolve(server);
    });
  });
}

describe("a socket", () => {
  test("is waited for until it accepts: the file of a program that has ended does not", async () => {
    const path = join(folder, "cri.sock");
    const bin = await programs({ socat });
    const listen = `require("net").createServer().listen(${JSON.stringify(path)}, () => console.log("listens"))`;
    const old = spawn(process.execPath, ["-e", listen]);
    await once(old.stdout, "data");
    old.kill("SIGKILL");
    await once(old, "exit");
    const { child, done } = startScript("start", ["--socket", path, "--", "echo", "started"], bin);
    const tries = async (): Promise<string> => readFile(join(bin, "socat.log"), "utf8").catch(() => "");
    await vi.waitUntil(async () => (await tries()).includes("tried\ntried"), { timeout: 30_000 });
    expect(child.exitCode).toBeNull();
    await rm(path);
    const server = await listenOn(path);
    expect(await done).toMatchObject({ code: 0, stdout: "started\n" });
    server.close();
  });

  test("that gives way to another one takes the program with it", async () => {
    const path = join(folder, "cri.sock");
    const bin = await programs({ socat });
    const first = await listenOn(path);
    const { child, done } = startScript("start", ["--socket", path, "--", "bash", "-c", "echo started; exec sleep 60"], bin);
    await once(child.stdout, "data");
    first.close();
    const second = await listenOn(path);
    await done;
    expect(child.signalCode).toBe("SIGKILL");
    second.close();
  });
});

describe("iptables", () => {
  // It notes what it is called with, and has the rules that a file beside it says.
  const log = `#!/bin/sh
name=$(basename "$0") folder=$(dirname "$0")
{ echo "$name $*"; case $name in *-restore) sed "s/^/$name: /" ;; esac; } >>"$folder/log"
case "$*" in
  *-D*) exit 1 ;;
  *-w*--noflush*) [ ! -e "$folder/is-old" ] || exit 2 ;;
  *-S*) [ ! -e "$folder/no-$name" ] || exit 3; cat "$folder/rules" 2>/dev/null || true ;;
esac
`;
  const all = Object.fromEntries(["iptables", "ip6tables"].flatMap((name) => [[name, log], [`${name}-restore`, log]]));
  const rules = async (bin: string): Promise<string[]> => (await readFile(join(bin, "log"), "utf8")).split("\n");
  const start = async (bin: string, ...options: string[]): Promise<void> => {
    expect(await startScript("start", [...options, "--", "true"], bin).done).toMatchObject({ code: 0, stderr: "" });
  };
  const closesKubelet = [
    "-A TSDEPLOY-KUBELET -i lo -j RETURN",
    "-A TSDEPLOY-KUBELET -s 10.0.0.5 -j RETURN",
    "-A TSDEPLOY-KUBELET -p tcp -m tcp --dport 10250 -j DROP",
  ];

  test("closes a kubelet's port to all but its master and loopback", async () => {
    const bin = await programs(all);
    await start(bin, "--close-kubelet", "10.0.0.5");
    const said = await rules(bin);
    const chain = (name: string): string[] =>
      said.filter((line) => line.startsWith(`${name}-restore: -A `)).map((line) => line.slice(`${name}-restore: `.length));
    expect(chain("iptables")).toEqual(closesKubelet);
    // By IPv6 nobody may.
    expect(chain("ip6tables")).toEqual(closesKubelet.filter((rule) => !rule.includes("10.0.0.5")));
    for (const name of ["iptables", "ip6tables"]) {
      for (const from of ["INPUT", "FORWARD"]) {
        expect(said).toContain(`${name}-restore: -I ${from} 1 -j TSDEPLOY-KUBELET`);
      }
    }
  });

  test("goes on where there is no ip6tables, and says so if there is IPv6", async () => {
    const bin = await programs({ ...all, "no-ip6tables": "" });
    const { code, stderr } = await startScript("start", ["--close-kubelet", "10.0.0.5", "--", "true"], bin).done;
    expect(code).toBe(0);
    const ipv6 = await readFile("/proc/net/if_inet6", "utf8").catch(() => "");
    expect(stderr).toBe(ipv6 === "" ? "" : "start.sh: port 10250 stays open for IPv6: ip6tables does not work here\n");
    expect((await rules(bin)).filter((line) => line.startsWith("ip6tables-restore"))).toEqual([]);
  });

  test("closes loopback to neighbours, but not to what kube-proxy sends there", async () => {
    const bin = await programs(all);
    await start(bin, "--close-loopback", "127.0.0.0/8");
    const said = await rules(bin);
    expect(said.filter((line) => line.includes(": -A "))).toEqual([
      "iptables-restore: -A TSDEPLOY-LOOPBACK ! -s 127.0.0.0/8 -d 127.0.0.0/8" +
        " -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP",
    ]);
    expect(said).toContain("iptables-restore: -I INPUT 1 -j TSDEPLOY-LOOPBACK");
  });

  test("of old images knows no lock when it restores", async () => {
    const bin = await programs({ ...all, "is-old": "" });
    await start(bin, "--close-kubelet", "10.0.0.5");
    expect(await rules(bin)).toContain("iptables-restore --noflush");
  });

  test("has chains of ours first, and leaves them alone when they are", async () => {
    const jump = "-A INPUT -j TSDEPLOY-KUBELET";
    const moved = async (listed: string): Promise<string[]> => {
      const bin = await programs({ ...all, rules: listed });
      await start(bin, "--close-kubelet", "10.0.0.5");
      const found = (await rules(bin)).filter((line) => /^iptables-restore: -[DI] INPUT/.test(line));
      await rm(bin, { recursive: true });
      return found;
    };
    expect(await moved(`-P INPUT ACCEPT\n-A INPUT -j TSDEPLOY-LOOPBACK\n${jump}\n-A INPUT -j OTHER\n`)).toEqual([]);
    expect(await moved(`-P INPUT ACCEPT\n-A INPUT -j OTHER\n${jump}\n`)).toEqual([
      "iptables-restore: -D INPUT -j TSDEPLOY-KUBELET",
      "iptables-restore: -I INPUT 1 -j TSDEPLOY-KUBELET",
    ]);
  });

  test("has pods' traffic go through kube-proxy's chains before ours lets it through, and through ours before others", async () => {
    const [jump, other] = ["-A FORWARD -j TSDEPLOY-FORWARD", "-A FORWARD -j DOCKER-USER"];
    const services = '-m comment --comment "kubernetes service portals" -j KUBE-SERVICES';
    const marked = '-m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD';
    const [first, second] = [`-A FORWARD ${services}`, `-A FORWARD ${marked}`];
    const moved = async (...listed: string[]): Promise<string[]> => {
      const bin = await programs({ ...all, rules: ["-P FORWARD DROP", ...listed, ""].join("\n") });
      const script = `until grep -q "restore: COMMIT" ${bin}/log; do sleep 0.05; done`;
      await startScript("start", ["--forward", "10.244.0.0/16", "--", "bash", "-c", script], bin).done;
      const found = (await rules(bin)).flatMap((line) => /^iptables-restore: (-[DI] FORWARD.*)/.exec(line)?.[1] ?? []);
      await rm(bin, { recursive: true });
      return found;
    };
    expect(await moved(first, second, "-A FORWARD -j TSDEPLOY-KUBELET", jump, other)).toEqual([]);
    expect(await moved(jump, other)).toEqual([]);
    expect(await moved(other)).toEqual(["-I FORWARD 1 -j TSDEPLOY-FORWARD"]);
    const ordered = [`-I FORWARD 1 ${services}`, `-I FORWARD 2 ${marked}`, "-I FORWARD 3 -j TSDEPLOY-FORWARD"];
    const removed = (...lines: string[]): string[] => lines.map((line) => line.replace("-A", "-D"));
    // As Docker leaves it when it starts anew, and as we did.
    expect(await moved(other, first, second, jump)).toEqual([...removed(first, second, jump), ...ordered]);
    expect(await moved(jump, first, second, other)).toEqual([...removed(jump, first, second), ...ordered]);
    expect(await moved(first, second, other, jump)).toEqual([...removed(first, second, jump), ...ordered]);
  }, 60_000);

  test.each([
    ["knows ports that nobody guesses", "--random-fully", "-j MASQUERADE --random-fully"],
    ["is older", "", "-j MASQUERADE"],
  ])("masquerades as well as it can where it %s", async (_, help, rule) => {
    const knows = `${log}case "$*" in *MASQUERADE*) echo "${help}" ;; esac\n`;
    const bin = await programs({ ...all, iptables: knows });
    const script = `until grep -q MASQUERADE$ ${bin}/log || grep -q fully$ ${bin}/log; do sleep 0.05; done`;
    await startScript("start", ["--forward", "10.244.0.0/16", "--", "bash", "-c", script], bin).done;
    expect(await rules(bin)).toContain(
      `iptables-restore: -A TSDEPLOY-POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 ${rule}`,
    );
  }, 60_000);

  test("lets pods through while the program starts, and ends a program whose pods nobody would let through", async () => {
    // It waits for the program.
    const restore = `#!/bin/sh
folder=$(dirname "$0")
until [ -e "$folder/started" ]; do sleep 0.05; done
[ ! -e "$folder/refuses" ] || { echo "no such table" >&2; exit 1; }
sed "s/^/rule: /" >>"$folder/log"
`;
    const bin = await programs({ ...all, "iptables-restore": restore });
    const script = `touch ${bin}/started; until grep -q "rule: -A TSDEPLOY-FORWARD" ${bin}/log; do sleep 0.05; done; echo ran`;
    const forward = ["--forward", "10.244.0.0/16", "--"];
    expect(await startScript("start", [...forward, "bash", "-c", script], bin).done).toMatchObject({ code: 0, stdout: "ran\n" });

    await writeFile(join(bin, "refuses"), "");
    const { child, done } = startScript("start", [...forward, "sleep", "60"], bin);
    expect((await done).stderr).toContain("no such table");
    expect(child.signalCode).toBe("SIGKILL");
  }, 60_000);

  test("writes its rules again when a firewall that was loaded anew has flushed them", async () => {
    const jump = "-P INPUT ACCEPT\n-A INPUT -j TSDEPLOY-LOOPBACK\n";
    const bin = await programs({ ...all, rules: jump });
    const { child, done } = startScript("start", ["--close-loopback", "127.0.0.0/8", "--", "sleep", "60"], bin);
    await vi.waitUntil(() => rules(bin).catch(() => undefined), { timeout: 60_000, interval: 100 });
    const restored = async (): Promise<number> =>
      (await rules(bin)).filter((line) => line.startsWith("iptables-restore: -A TSDEPLOY-LOOPBACK")).length;
    const looks = async (): Promise<number> => (await rules(bin)).filter((line) => line.includes(" -S INPUT")).length;
    // Once to put it first, then as long as it runs.
    await vi.waitUntil(async () => (await looks()) >= 2, { timeout: 60_000, interval: 100 });
    expect(await restored()).toBe(1);
    await writeFile(join(bin, "rules"), "-P INPUT ACCEPT\n");
    await vi.waitUntil(async () => (await restored()) === 2, { timeout: 60_000, interval: 100 });
    expect(await rules(bin)).toContain("iptables-restore: -I INPUT 1 -j TSDEPLOY-LOOPBACK");
    child.kill("SIGKILL");
    expect((await done).stderr).toMatch(/^start\.sh: iptables filter INPUT TSDEPLOY-LOOPBACK is gone/);
  }, 180_000);
});

describe("a kubelet's certificate", () => {
  const pki = (): string => join(folder, "pki");
  const start = (bin?: string, name = "worker-1") =>
    startScript("start", ["--certificate", `${pki()}=${name}`, "--", "echo", "started"], bin).done;
  const started = { code: 0, stdout: "started\n", stderr: "" };
  const pair = async (): Promise<readonly [certificate: string, key: string]> =>
    Promise.all([readFile(join(pki(), "kubelet.crt"), "utf8"), readFile(join(pki(), "kubelet.key"), "utf8")]);

  test("is made for the node's name, with a key that root alone may read", async () => {
    expect(await start()).toEqual(started);
    const [certificate, key] = await pair();
    const made = new X509Certificate(certificate);
    expect(made).toMatchObject({ subject: "CN=worker-1", subjectAltName: "DNS:worker-1" });
    expect(made.checkPrivateKey(createPrivateKey(key))).toBe(true);
    expect(made.publicKey.asymmetricKeyDetails).toEqual({ namedCurve: "prime256v1" });
    expect((await stat(join(pki(), "kubelet.key"))).mode & 0o777).toBe(0o600);
    expect((await readdir(pki())).sort()).toEqual(["kubelet.crt", "kubelet.key"]);
  });

  test("is made for an address where that is the node's name", async () => {
    expect(await start(undefined, "10.0.0.5")).toEqual(started);
    expect(new X509Certificate((await pair())[0]).subjectAltName).toBe("IP Address:10.0.0.5");
  });

  test("stays as it is; one without its key, which no kubelet takes, is made anew", async () => {
    await start();
    const first = await pair();
    expect(await start()).toEqual(started);
    expect(await pair()).toEqual(first);
    await rm(join(pki(), "kubelet.key"));
    expect(await start()).toEqual(started);
    const [certificate, key] = await pair();
    expect(new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key))).toBe(true);
  });

  test("is the kubelet's to make where that fails", async () => {
    const { code, stdout, stderr } = await start(await programs({ openssl: "#!/bin/sh\necho broken >&2\nexit 1\n" }));
    expect({ code, stdout }).toEqual({ code: 0, stdout: "started\n" });
    expect(stderr).toBe("broken\nstart.sh: no certificate for worker-1: the kubelet makes one by itself\n");
    expect(await readdir(pki())).toEqual([]);
  });
});

test("ends at once when it is told to while it waits", async () => {
  const { child, done } = startScript("start", ["--file", join(folder, "never"), "--", "echo", "started"]);
  await new Promise((resolve) => child.once("spawn", resolve));
  child.kill("SIGTERM");
  const result = await done;
  expect(result.stdout).toBe("");
  expect(result.code === 143 || child.signalCode === "SIGTERM").toBe(true);
});

test.each([[["--nonsense", "x", "--", "true"]], [["--file", "/dev/null"]], [[]]])("refuses %j", async (args) => {
  const result = await runScript("start", ...args);
  expect(result.code).not.toBe(0);
  expect(result.stderr).not.toBe("");
});

test("gives an interface that is there another MTU, and passes over one that is not", async () => {
  const calls = join(folder, "calls");
  await writeFile(join(folder, "ip"), `#!/bin/sh\necho "$*" >>${calls}\n`, { mode: 0o755 });
  vi.stubEnv("PATH", `${folder}:${process.env["PATH"] ?? ""}`);
  await runScript("start", "--mtu", "lo=1300", "--mtu", "no-such-link=1300", "--", "true");
  vi.unstubAllEnvs();
  expect(await readFile(calls, "utf8")).toBe("link set lo mtu 1300\n");
});
