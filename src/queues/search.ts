import type { Scope } from './scope.ts';
import type { Discovery, DiscoveryStep, Poll } from './system.ts';

type Run = (poll: Poll<DiscoveryStep>, node: number) => Promise<DiscoveryStep>;

/** Polls between two searches, once the whole store has been gone through. */
const REST = 12;
/** No step begins later than this after the first, ms: where Redis is slow a poll has no time for more than one. */
const BUDGET_MS = 1000;

/** Looks for queues, some steps a poll: first through the whole store, then again from time to time. */
export class Search {
  readonly #scope: Scope;
  readonly #steps: number;
  readonly #now: () => number;
  /** One for each node of a cluster. */
  #discoveries: Discovery[] = [];
  #at = 0;
  #rest = 0;

  /** @param steps in one poll, at most @param now monotonic, ms */
  constructor(scope: Scope, steps: number, now: () => number) {
    this.#scope = scope;
    this.#steps = steps;
    this.#now = now;
  }

  /** Whether the next poll has nothing to look for. */
  get isResting(): boolean {
    return this.#rest > 0 || this.#steps === 0;
  }

  async run(ask: Run, nodes: number): Promise<void> {
    if (this.#rest > 0) {
      this.#rest--;
      return;
    }
    if (this.#discoveries.length !== nodes) {
      this.#discoveries = Array.from({ length: nodes }, () => this.#scope.discovery());
      this.#at = 0;
    }
    const end = this.#now() + BUDGET_MS;
    for (let step = 0; step < this.#steps && (step === 0 || this.#now() < end); step++) {
      const { found, complete } = await ask(this.#discoveries[this.#at]!.step(), this.#at);
      for (const { name } of found) this.#scope.add(name, false);
      if (!complete) continue;
      this.#at = (this.#at + 1) % nodes;
      if (this.#at > 0) continue;
      this.#rest = REST;
      return;
    }
  }
}
