/** Shares of a limit that are told at once: every multiple of this, from the first on. */
const STEP = 0.05;
export const FIRST_MARK = 0.5;

/** Notices when a share passes a mark, and not each time that it goes back and forth over one. */
export class Marks {
  readonly #passed = new Map<string, number>();

  /** @returns whether the share of that limit has passed a mark that it had not */
  passes(limit: string, share: number): boolean {
    const before = this.#passed.get(limit) ?? 0;
    const mark = share < FIRST_MARK ? 0 : Math.floor(share / STEP + 1e-9);
    if (mark > before) {
      this.#passed.set(limit, mark);
      return true;
    }
    if (mark < before - 1) this.#passed.set(limit, mark);
    return false;
  }
}
