import { readdirSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_MS = 20;
const LIMIT_MS = 20_000;
/** From the rules to the exporters, which are opened next, ms. */
const REST_MS = 500;

/** A folder for the state of workers. */
export class StateFolder {
  readonly path: string;
  #seen: ReadonlySet<string> = new Set();

  constructor(path: string) {
    this.path = path;
  }

  /** Fulfils when the agent of a worker that was started since the last call watches it: it keeps its alerts in a file of its own. */
  async untilWatched(): Promise<void> {
    const until = performance.now() + LIMIT_MS;
    const names = (): string[] => readdirSync(this.path).filter((name) => name.startsWith('alerts-'));
    while (names().every((name) => this.#seen.has(name)) && performance.now() < until) await delay(LOOK_MS);
    this.#seen = new Set(names());
    await delay(REST_MS);
  }
}
