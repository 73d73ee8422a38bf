import { literal, scanned, text } from './reply.ts';
import type { Poll } from './system.ts';

/** Keys that one step passes. */
const COUNT = 1000;

/** Goes through the store for `<prefix>:<queue>:<suffix>`, a step at a time. */
export class KeyScan {
  readonly #prefix: string;
  readonly #suffix: string;
  readonly #type: string;
  #cursor = '0';

  /** @param type what TYPE says of such a key */
  constructor(prefix: string, suffix: string, type: string) {
    this.#prefix = prefix;
    this.#suffix = suffix;
    this.#type = type;
  }

  /** @returns the names of the queues whose keys were passed; none, and not the end, where Redis answers with an error */
  *step(): Poll<{ names: string[]; complete: boolean }> {
    const pattern = `${literal(this.#prefix)}:*:${this.#suffix}`;
    const [reply] = yield [['SCAN', this.#cursor, 'MATCH', pattern, 'COUNT', COUNT, 'TYPE', this.#type]];
    const page = scanned(reply);
    if (page === undefined) return { names: [], complete: false };
    this.#cursor = page.cursor;
    const names = page.found.flatMap(
      (key) => text(key)?.slice(this.#prefix.length + 1, -this.#suffix.length - 1) ?? [],
    );
    return { names, complete: page.cursor === '0' };
  }
}
