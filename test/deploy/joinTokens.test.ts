import { expect, test } from "vitest";
import { ApiError } from "../../src/api/apiFault.js";
import type { KubernetesClient } from "../../src/api/kubernetesClient.js";
import { endToken, revokeToken } from "../../src/deploy/joinTokens.js";

const { signal } = new AbortController();
const answering = (error: ApiError): KubernetesClient =>
  ({ delete: () => Promise.reject(error) }) as unknown as KubernetesClient;

test("a token that the cluster has removed when its time was over is no failure of the run that made it", async () => {
  const gone = answering(new ApiError(404, "NotFound", "not found"));
  await expect(endToken(gone, "abcdef", signal)).resolves.toBeUndefined();
  await expect(revokeToken(gone, "abcdef", signal)).rejects.toThrow(/NO_SUCH_TOKEN/);
  await expect(endToken(answering(new ApiError(403, "Forbidden", "no")), "abcdef", signal)).rejects.toThrow("no");
});
