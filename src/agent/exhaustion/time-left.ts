/** Time over which growth is measured at the least, ms: shorter ones tell of single allocations. */
const WINDOW_MS = 150;

/** How soon a limit is reached, if what is in use grows on as it just did. */
export class TimeLeft {
  readonly #readings: { readonly atMs: number; readonly used: number }[] = [];

  /**
   * To be called at each reading, with the time of a clock that is never set, ms. Bytes.
   *
   * @returns ms; undefined where it does not grow, or has not been looked at for long enough
   */
  until(limit: number, used: number, nowMs: number): number | undefined {
    this.#readings.push({ atMs: nowMs, used });
    while (this.#readings.length > 1 && nowMs - this.#readings[1]!.atMs >= WINDOW_MS) this.#readings.shift();
    const [first] = this.#readings;
    const [ms, grown] = [nowMs - first!.atMs, used - first!.used];
    return ms < WINDOW_MS || grown <= 0 ? undefined : (Math.max(0, limit - used) * ms) / grown;
  }
}
