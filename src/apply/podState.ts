import type { Sight, Trouble } from "./waitFor.js";

/** What we read of a pod. */
export interface Pod {
  readonly metadata: { readonly name: string };
  readonly spec?: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly podIP?: string;
    readonly conditions?: readonly {
      readonly type: string;
      readonly status: string;
      readonly message?: string;
    }[];
    readonly containerStatuses?: readonly {
      readonly state?: {
        readonly waiting?: { readonly reason?: string; readonly message?: string };
        readonly terminated?: { readonly reason?: string; readonly exitCode: number };
      };
      readonly restartCount?: number;
      readonly lastState?: { readonly terminated?: { readonly reason?: string; readonly exitCode: number } };
    }[];
  };
}

/** Reasons by which a kubelet says that it waits for an image (pkg/kubelet/images/types.go). */
const pullReasons = ["ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "RegistryUnavailable"];

/** Whether the pod takes requests. */
export function isReady({ status }: Pod): boolean {
  return status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") ?? false;
}

/** What keeps pods from being ready: whether they still start, have no image, or end. */
export function sightOf(pods: readonly Pod[], ifNone: string): Sight & { readonly done: false } {
  const waiting = pods.filter((pod) => !isReady(pod));
  const trouble = waiting.map(troubleOf).find((one) => one !== undefined);
  const states = waiting.map((pod) => `pod ${pod.metadata.name} ${stateOf(pod)}`);
  return { done: false, seen: states.length === 0 ? ifNone : states.join("; "), ...(trouble && { trouble }) };
}

function troubleOf({ status }: Pod): Trouble | undefined {
  const [container] = status?.containerStatuses ?? [];
  const { waiting, terminated } = container?.state ?? {};
  if (waiting?.reason !== undefined && pullReasons.includes(waiting.reason)) return "image";
  const hasEnded = terminated !== undefined || container?.lastState?.terminated !== undefined;
  return waiting?.reason === "CrashLoopBackOff" || hasEnded ? "crash" : undefined;
}

/** What keeps a pod from being ready, as far as it is known. */
function stateOf({ status }: Pod): string {
  const [container] = status?.containerStatuses ?? [];
  const { waiting, terminated } = container?.state ?? {};
  const ended = terminated ?? container?.lastState?.terminated;
  const times = (container?.restartCount ?? 0) > 1 ? ` ${container?.restartCount ?? 0} times` : "";
  const reasons = [
    waiting?.reason,
    waiting?.message,
    ended && `ended with status ${ended.exitCode}${times}`,
    ...(container ? [] : [status?.conditions?.find(({ type }) => type === "PodScheduled")?.message]),
  ].filter((reason) => reason !== undefined && reason !== "");
  if (reasons.length > 0) return `is not ready: ${reasons.join(", ")}`;
  return status?.phase === "Running" ? "runs, but is not ready" : `is ${status?.phase ?? "new"}`;
}
