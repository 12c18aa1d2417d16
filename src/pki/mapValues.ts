import { setImmediate } from "node:timers/promises";

/** The same keys with other values. */
export function mapValues<Key extends string, In, Out>(
  record: Readonly<Record<Key, In>>,
  map: (value: In, key: Key) => Out,
): Record<Key, Out> {
  const entries = Object.entries<In>(record).map(([key, value]) => [key, map(value, key as Key)]);
  return Object.fromEntries(entries) as Record<Key, Out>;
}

/** The same, awaited one after the other. What waits for the event loop gets its turn between two of them. */
export async function mapValuesInTurn<Key extends string, In, Out>(
  record: Readonly<Record<Key, In>>,
  map: (value: In, key: Key) => Promise<Out>,
): Promise<Record<Key, Out>> {
  const mapped: Partial<Record<Key, Out>> = {};
  for (const key of Object.keys(record) as Key[]) {
    mapped[key] = await map(record[key], key);
    await setImmediate();
  }
  return mapped as Record<Key, Out>;
}
