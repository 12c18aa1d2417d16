/** `wanted` over `existing`: maps are merged, everything else (lists too) is as wanted. */
export function mergeObject(existing: unknown, wanted: unknown): unknown {
  if (!isMap(existing) || !isMap(wanted)) return wanted;
  const merged: Record<string, unknown> = { ...existing };
  for (const [key, value] of Object.entries(wanted)) merged[key] = mergeObject(existing[key], value);
  return merged;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
