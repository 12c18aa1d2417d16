/** Measured values by name, in the order in which the names first came. */
export class Series {
  #values = new Map();
  #units = new Map();

  /** Notes a value. */
  add(name, value, unit = "ms") {
    this.#values.set(name, [...(this.#values.get(name) ?? []), value]);
    this.#units.set(name, unit);
  }

  get isEmpty() {
    return this.#values.size === 0;
  }

  /** Of what was noted by that name; undefined if nothing was. */
  median(name) {
    const sorted = [...(this.#values.get(name) ?? [])].sort((a, b) => a - b);
    const middle = sorted.length >> 1;
    return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

  /**
   * The table's rows.
   *
   * @param targets what each name is measured against, if anything: see `verdict`
   */
  rows(targets) {
    return [...this.#values].map(([name, values]) => [
      name,
      ...[this.median(name), Math.min(...values), Math.max(...values)].map(digits),
      this.#units.get(name),
      ...this.#verdict(this.median(name), targets[name] || {}),
    ]);
  }

  /**
   * A target is `most` or `least` times what it is `against`, or `ms` more than it; `ms` alone; or only `against`, for
   * a ratio that has no target.
   */
  #verdict(value, { against, most, least, ms }) {
    const met = (is) => (is ? "met" : "MISSED");
    const other = against === undefined ? 0 : this.median(against);
    // Where that one was interrupted.
    if (Number.isNaN(other)) return [];
    if (ms !== undefined) {
      const more = value - other;
      return [against === undefined ? "" : `${digits(more)} ms more than ${against}`, `<= ${ms} ms`, met(more <= ms)];
    }
    if (against === undefined) return [];
    const ratio = value / other;
    const measured = `${ratio.toFixed(2)} x ${against}`;
    if (most !== undefined) return [measured, `<= ${most} x`, met(ratio <= most)];
    if (least !== undefined) return [measured, `>= ${least} x`, met(ratio >= least)];
    return [measured];
  }
}

/** Lines of columns that stand below each other. */
export function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd());
}

function digits(value) {
  return value.toFixed(Math.abs(value) < 100 ? 1 : 0);
}
