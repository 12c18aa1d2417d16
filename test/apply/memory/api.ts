import { isDeepStrictEqual } from "node:util";
import { ApiError, type ApplyOptions, type KubernetesClient } from "../../../src/api/kubernetesClient.js";
import { mergeObject } from "../../../src/api/mergeObject.js";
import { collectionOf, pathOf } from "../../../src/api/pathOf.js";
import { aborted, TsdeployError } from "../../../src/model/errors.js";
import { paths } from "../../../src/model/hostLayout.js";
import type { KubernetesObject } from "../../../src/model/kubernetesObject.js";
import type { Faults } from "./faults.js";
import { allocateInTime, allocatePodCidr, apiAnswers, nodeStatus, settle } from "./kubernetes.js";
import type { HostState } from "./state.js";

const nodes = "/api/v1/nodes/";

interface Options {
  readonly signal?: AbortSignal;
}

/**
 * The API server of a memory host, by the methods of the client that the product uses.
 *
 * @param answers whether it does; another one than the host's own is another master's
 */
export function memoryApi(state: HostState, faults: Faults, answers = apiAnswers): KubernetesClient {
  const request = <T>(method: string, path: string, options: Options | undefined, effect: () => T): Promise<T> =>
    faults.around(`${method} ${path}`, () => {
      if (options?.signal?.aborted) throw aborted();
      settle(state);
      if (!answers(state)) {
        throw new TsdeployError("unreachable", { code: "API_UNREACHABLE", message: "the API server cannot be reached", hint: "Look." });
      }
      return structuredClone(effect());
    });
  const existing = (path: string): KubernetesObject => {
    if (path.endsWith("/configmaps/tsdeploy-addons")) return addonReport(state);
    const object = state.objects.get(path);
    if (!object) throw new ApiError(404, "NotFound", `${path} not found`);
    if (path.includes("/deployments/")) {
      return { ...object, status: { observedGeneration: 1, replicas: 1, updatedReplicas: 1, availableReplicas: 1 } };
    }
    if (!path.startsWith(nodes)) return object;
    allocateInTime(state, path);
    return { ...(state.objects.get(path) ?? object), status: nodeStatus(state, path) };
  };
  const save = (path: string, object: KubernetesObject): KubernetesObject => {
    // As JSON: what is undefined is not there.
    const saved = JSON.parse(JSON.stringify(object)) as KubernetesObject & { status?: unknown };
    // Told anew at each look.
    if (path.startsWith(nodes) || path.includes("/deployments/")) delete saved.status;
    state.objects.set(path, saved);
    return object;
  };

  const client = {
    server: "https://127.0.0.1:6443",
    peerCertificates: [],
    get: (path: string, options?: Options) =>
      request("GET", path, options, () => {
        const [collection = "", query] = path.split("?");
        if (path === "/version") return { gitVersion: runningVersion(state) };
        return query === undefined ? existing(path) : { items: itemsOf(state, collection) };
      }),
    list: (path: string, options?: Options) => request("GET", path, options, () => itemsOf(state, path)),
    create: (object: KubernetesObject, options?: Options) =>
      request("POST", pathOf(object), options, () => {
        const path = pathOf(object);
        if (state.objects.has(path)) throw new ApiError(409, "AlreadyExists", `${path} already exists`);
        save(path, object);
        if (state.isWorker && path.startsWith(nodes)) allocatePodCidr(state, path);
        return object;
      }),
    post: (path: string, _body: unknown, options?: Options) =>
      request("POST", path, options, () => {
        if (!path.endsWith("/eviction")) throw new Error(`the memory API knows no POST ${path}`);
        const pod = path.slice(0, -"/eviction".length);
        existing(pod);
        state.objects.delete(pod);
        return {};
      }),
    replace: (object: KubernetesObject, options?: Options) =>
      request("PUT", pathOf(object), options, () => {
        existing(pathOf(object));
        return save(pathOf(object), object);
      }),
    patch: (path: string, body: unknown, options?: Options) =>
      request("PATCH", path, options, () => save(path, withoutNulls(mergeObject(existing(path), body)))),
    delete: (path: string, options?: Options) =>
      request("DELETE", path, options, () => {
        existing(path);
        state.objects.delete(path);
        return {};
      }),
    apply: async (object: KubernetesObject, options?: ApplyOptions) => {
      const path = pathOf(object);
      const now = state.objects.has(path) ? ((await client.get(path, options)) as KubernetesObject) : undefined;
      if (!now) {
        options?.onWrite?.(undefined);
        await client.create(object, options);
        return "created";
      }
      const merged = mergeObject(now, object) as KubernetesObject;
      if (isDeepStrictEqual(merged, now)) return "unchanged";
      options?.onWrite?.(now);
      await client.replace(merged, options);
      return "changed";
    },
    healthz: (options?: Options) => request("GET", "/healthz", options, () => undefined),
    close: () => undefined,
    disconnect: () => undefined,
  };
  // A class with private fields cannot be implemented by another.
  return client as unknown as KubernetesClient;
}

/** An API server is of its manifest's image. */
function runningVersion({ files }: HostState): string {
  const manifest = files.get(`${paths.manifests}/master-multi.json`)?.content ?? "";
  return /"image": "[^"]*:(v[\d.]+)"/.exec(manifest)?.[1] ?? "v0.0.0";
}

/** An add-on manager that reads its folder at once. */
function addonReport({ files }: HostState): KubernetesObject {
  const revision = files.get(paths.addonsRevision)?.content.trim() ?? "none";
  const metadata = { name: "tsdeploy-addons", namespace: "kube-system" };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data: { revision } };
}

function itemsOf(state: HostState, collection: string): KubernetesObject[] {
  return [...state.objects.values()].filter((object) => {
    const own = collectionOf(object);
    return own === collection || own.replace(/\/namespaces\/[^/]+/, "") === collection;
  });
}

/** A merge patch takes away what it gives as null. */
function withoutNulls(value: unknown): KubernetesObject {
  return JSON.parse(JSON.stringify(value, (_key, inner: unknown) => inner ?? undefined)) as KubernetesObject;
}
