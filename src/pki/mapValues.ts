/** The same keys with other values. */
export function mapValues<Key extends string, In, Out>(
  record: Readonly<Record<Key, In>>,
  map: (value: In, key: Key) => Out,
): Record<Key, Out> {
  const entries = Object.entries<In>(record).map(([key, value]) => [key, map(value, key as Key)]);
  return Object.fromEntries(entries) as Record<Key, Out>;
}

/** The same, all at once and awaited. */
export async function mapValuesAsync<Key extends string, In, Out>(
  record: Readonly<Record<Key, In>>,
  map: (value: In, key: Key) => Promise<Out>,
): Promise<Record<Key, Out>> {
  const keys = Object.keys(record) as Key[];
  const entries = await Promise.all(keys.map(async (key) => [key, await map(record[key], key)] as const));
  return Object.fromEntries(entries) as Record<Key, Out>;
}
