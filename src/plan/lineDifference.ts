/** Lines that went (`- old`) and that came (`+ new`), in order; empty if the texts are the same. */
export function lineDifference(before: readonly string[], after: readonly string[]): string[] {
  const rest = after.length + 1;
  // lengths[i * rest + j]: longest common subsequence of before[i…] and after[j…].
  const lengths = new Uint32Array((before.length + 1) * rest);
  const at = (i: number, j: number): number => lengths[i * rest + j] ?? 0;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * rest + j] =
        before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: string[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      i++;
      j++;
    } else if (j >= after.length || (i < before.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push(`- ${before[i] ?? ""}`);
      i++;
    } else {
      lines.push(`+ ${after[j] ?? ""}`);
      j++;
    }
  }
  return lines;
}
