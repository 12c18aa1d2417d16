import type { Duplex } from "node:stream";
import type { EtcdMember } from "../kubernetes/etcdMembers.js";
import { messageOf, TsdeployError } from "../model/errors.js";
import { etcdPort } from "../model/hostLayout.js";
import type { KeyPair } from "../model/identity.js";
import * as z from "../model/zod.js";
import { ApiError, KubernetesClient, type RequestOptions } from "./kubernetesClient.js";

export interface EtcdClientOptions {
  /** Address of its node. */
  readonly host: string;
  /** A raw byte stream to port 2379 there. */
  readonly connect: () => Promise<Duplex>;
  /** etcd's own CA. */
  readonly caPem: string;
  readonly keyPair: KeyPair;
  /** For one request. Default 10 s. */
  readonly timeoutMs?: number;
}

const memberSchema = z.object({
  ID: z.string(),
  // What is empty is left out.
  name: z.string().default(""),
  peerURLs: z.array(z.string()).default([]),
  clientURLs: z.array(z.string()).default([]),
  isLearner: z.boolean().default(false),
});
const answerSchema = z.object({
  header: z.object({ member_id: z.string().default("") }),
  members: z.array(memberSchema).default([]),
});
const versionSchema = z.object({ etcdserver: z.string(), etcdcluster: z.string() });

/** What an etcd says at `/version`. */
export interface EtcdVersions {
  /** Of the etcd that answers, such as `3.5.26`. */
  readonly server: string;
  /** What it writes by, as it knows: that of the oldest member, such as `3.5.0`; `not_decided` at first. */
  readonly cluster: string;
}

/**
 * The membership of an etcd, by the gateway of its gRPC API that each etcd since 3.4 has at /v3 (`rpc.proto` says the
 * paths). So nothing but TLS is needed, and no etcdctl.
 *
 * @throws TsdeployError every method: `unreachable`, `ETCD_UNREACHABLE`; `failed`, `ETCD_REFUSED`, with etcd's words
 */
export class EtcdClient {
  readonly host: string;
  readonly #client: KubernetesClient;

  constructor({ host, connect, caPem, keyPair, timeoutMs = 10_000 }: EtcdClientOptions) {
    this.host = host;
    this.#client = new KubernetesClient({
      server: `https://${host}:${etcdPort}`,
      connect,
      caPem,
      credentials: { keyPair },
      timeoutMs,
    });
  }

  /** All members as this one knows them, and which of them it is itself. */
  async members(
    options: RequestOptions = {},
  ): Promise<{ readonly own: string; readonly members: readonly EtcdMember[] }> {
    const { header, members } = await this.#call("cluster/member/list", {}, options);
    return { own: header.member_id, members: members.map(memberOf) };
  }

  /** A learner says it, too, and one without a majority. */
  async versions(options: RequestOptions = {}): Promise<EtcdVersions> {
    return this.#asked(async () => {
      const { etcdserver: server, etcdcluster: cluster } = versionSchema.parse(await this.#client.get("/version", options));
      return { server, cluster };
    });
  }

  /** @returns all members, the new one too */
  async addLearner(peerUrl: string, options: RequestOptions = {}): Promise<readonly EtcdMember[]> {
    const { members } = await this.#call("cluster/member/add", { peerURLs: [peerUrl], isLearner: true }, options);
    return members.map(memberOf);
  }

  /** A learner votes from now on; refused until it has nearly all of the data. */
  async promote(id: string, options: RequestOptions = {}): Promise<void> {
    await this.#call("cluster/member/promote", { ID: id }, options);
  }

  /** Where a member's peers find it. */
  async update(id: string, peerUrl: string, options: RequestOptions = {}): Promise<void> {
    await this.#call("cluster/member/update", { ID: id, peerURLs: [peerUrl] }, options);
  }

  async remove(id: string, options: RequestOptions = {}): Promise<void> {
    await this.#call("cluster/member/remove", { ID: id }, options);
  }

  close(): void {
    this.#client.close();
  }

  async #call(path: string, body: unknown, options: RequestOptions): Promise<z.infer<typeof answerSchema>> {
    return this.#asked(async () => answerSchema.parse(await this.#client.post(`/v3/${path}`, body, options)));
  }

  async #asked<T>(ask: () => Promise<T>): Promise<T> {
    try {
      return await ask();
    } catch (error) {
      if (error instanceof ApiError) throw refused(this.host, error);
      if (error instanceof TsdeployError && error.kind === "aborted") throw error;
      throw unreachable(this.host, error);
    }
  }
}

function memberOf({ ID: id, name, peerURLs, clientURLs, isLearner }: z.infer<typeof memberSchema>): EtcdMember {
  return { id, name, peerUrls: peerURLs, clientUrls: clientURLs, isLearner };
}

function refused(host: string, error: ApiError): TsdeployError {
  // The gateway's JSON, which may have been cut off.
  const said = /"(?:error|message)":\s*"([^"]*)/.exec(error.message)?.[1] ?? error.message;
  return new TsdeployError(
    "failed",
    {
      code: "ETCD_REFUSED",
      message: `etcd on ${host} refuses: ${said.replace(/^etcdserver: /, "")}`,
      hint: "`tsdeploy member list` on a master shows the members and which of them answer; when all are well, run the command again.",
    },
    { cause: error },
  );
}

function unreachable(host: string, error: unknown): TsdeployError {
  return new TsdeployError(
    "unreachable",
    {
      code: "ETCD_UNREACHABLE",
      message: `etcd on ${host} does not answer: ${messageOf(error).replace(/^[A-Z_]+: /, "")}`,
      hint: `Check that this master runs (\`tsdeploy status\` there), and that port ${etcdPort} is open between masters.`,
    },
    { cause: error },
  );
}
