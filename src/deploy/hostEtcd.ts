import { EtcdClient } from "../api/etcdClient.js";
import type { EtcdAccess } from "../apply/applyContext.js";
import { hostOf } from "../apply/etcdMembership.js";
import type { Helper } from "../host/helperSession.js";
import type { EtcdMember } from "../kubernetes/etcdMembers.js";
import { isProblem, TsdeployError } from "../model/errors.js";
import type { ExistingFile } from "../model/hostFacts.js";
import { etcdPort, paths } from "../model/hostLayout.js";
import type { ClusterIdentity } from "../model/identity.js";
import { requestTimeoutMs } from "../model/requestTimeoutMs.js";

/** etcd's members as a master's host reaches them, with the API server's own certificate; whoever made it closes it. */
export class HostEtcd implements EtcdAccess {
  readonly #helper: Pick<Helper, "openTcp">;
  readonly #identity: Pick<ClusterIdentity, "etcdCa" | "apiserverEtcdClient">;
  readonly #timeoutMs: number;
  readonly #clients = new Map<string, EtcdClient>();

  constructor(
    helper: Pick<Helper, "openTcp">,
    identity: Pick<ClusterIdentity, "etcdCa" | "apiserverEtcdClient">,
    { timeoutMs }: { readonly timeoutMs: number },
  ) {
    this.#helper = helper;
    this.#identity = identity;
    this.#timeoutMs = requestTimeoutMs(timeoutMs);
  }

  /** @throws TsdeployError `conflict`, `CA_MISSING`, if the host lacks the files */
  static byFiles(
    helper: Pick<Helper, "openTcp">,
    files: ReadonlyMap<string, ExistingFile>,
    options: { readonly timeoutMs: number },
  ): HostEtcd {
    const pair = (path: string): { certificate: string; privateKey: string } => ({
      certificate: read(files, `${path}.crt`),
      privateKey: files.get(`${path}.key`)?.content ?? "",
    });
    const [etcdCa, client] = [pair(`${paths.pki}/etcd/ca`), pair(`${paths.pki}/apiserver-etcd-client`)];
    return new HostEtcd(helper, { etcdCa, apiserverEtcdClient: client }, options);
  }

  at(host: string): EtcdClient {
    const known = this.#clients.get(host);
    if (known) return known;
    const { etcdCa, apiserverEtcdClient } = this.#identity;
    const client = new EtcdClient({
      host,
      connect: () => this.#helper.openTcp(host, etcdPort),
      caPem: etcdCa.certificate,
      keyPair: apiserverEtcdClient,
      timeoutMs: this.#timeoutMs,
    });
    this.#clients.set(host, client);
    return client;
  }

  /** As the one on this host knows them; none if it does not answer. */
  async membersHere(signal: AbortSignal): Promise<readonly EtcdMember[]> {
    try {
      return (await this.at("127.0.0.1").members({ signal })).members;
    } catch {
      signal.throwIfAborted();
      return [];
    }
  }

  /** Ids of those that answer. */
  async living(members: readonly EtcdMember[], signal: AbortSignal): Promise<Set<string>> {
    const found = await Promise.all(
      members.map(async (member) => {
        try {
          await this.at(hostOf(member)).members({ signal });
          return [member.id];
        } catch (error) {
          signal.throwIfAborted();
          // A learner answers, too, that it does not answer such questions.
          return isProblem(error, "ETCD_REFUSED") ? [member.id] : [];
        }
      }),
    );
    return new Set(found.flat());
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }
}

function read(files: ReadonlyMap<string, ExistingFile>, path: string): string {
  const content = files.get(path)?.content;
  if (content !== undefined) return content;
  throw new TsdeployError("conflict", {
    code: "CA_MISSING",
    message: `${path} is not on this host: its etcd cannot be asked`,
    hint: "Run `tsdeploy master` here: it makes what is missing.",
  });
}
