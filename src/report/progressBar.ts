const barWidth = 20;

/** `[########------------]  42 % of 260 MB`; without a total what has come: `12 MB`. */
export function progressBar(bytesDone: number, bytesTotal: number | undefined): string {
  if (bytesTotal === undefined || bytesTotal === 0) return megabytes(bytesDone);
  const fraction = Math.min(1, bytesDone / bytesTotal);
  const filled = Math.round(fraction * barWidth);
  const bar = "#".repeat(filled) + "-".repeat(barWidth - filled);
  const percent = String(Math.floor(fraction * 100)).padStart(3);
  return `[${bar}] ${percent} % of ${megabytes(bytesTotal)}`;
}

/** `260 MB`, of 10^6 bytes and rounded up. */
export function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6)} MB`;
}
