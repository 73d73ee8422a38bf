import { type DuplicateType, SLOT_COUNT } from '../../bridge/protocol.ts';

/** What tells a job from others. */
export interface JobIdentity {
  readonly framework: string;
  readonly queue: string;
  /** '' where jobs have none. */
  readonly jobId: string;
  /** What job ids are unique within, as a 32-bit number; framework and queue where it is left out. */
  readonly jobScope?: number | undefined;
  /** When the job was made, ms since the Unix epoch: tells a new job under an old id. */
  readonly enqueuedMs?: number | undefined;
}

const ACTIVE = 4096;
const RECENT = 16_384;
const MAX_SCOPES = 1000;

/**
 * Jobs that run twice: while they run already, or after they have succeeded. A job is known by two 32-bit hashes. The memory of
 * successes is a table with one place for each value of 14 bits: the newer takes the place of the older.
 */
export class Duplicates {
  /** Runs in flight by 12 bits of their hash: the others need to be looked at only where there is one. */
  readonly #active = new Uint16Array(ACTIVE);
  readonly #slotA = new Int32Array(SLOT_COUNT);
  readonly #slotB = new Int32Array(SLOT_COUNT);
  readonly #recentA = new Int32Array(RECENT);
  readonly #recentB = new Int32Array(RECENT);
  readonly #scopes = new Map<string, number>();
  #a = 0;
  #b = 0;

  /** @param slot the run's place in the table, below 0 for none: then nothing is known of it */
  begin(slot: number, job: JobIdentity): DuplicateType | undefined {
    if (slot < 0 || job.jobId === '') return undefined;
    this.#hash(job);
    const a = this.#a;
    const b = this.#b;
    const runsAlready = this.#active[a & (ACTIVE - 1)]!++ > 0 && this.#isRunning(a, b);
    this.#slotA[slot] = a;
    this.#slotB[slot] = b;
    if (runsAlready) return 'concurrent';
    const at = a & (RECENT - 1);
    return this.#recentA[at] === a && this.#recentB[at] === b ? 'repeated' : undefined;
  }

  /** @param succeeded whether the job is done: false for one that failed or was moved to a later time */
  end(slot: number, succeeded: boolean): void {
    if (slot < 0) return;
    const a = this.#slotA[slot]!;
    const b = this.#slotB[slot]!;
    if (a === 0 && b === 0) return;
    this.#active[a & (ACTIVE - 1)]!--;
    this.#slotA[slot] = 0;
    this.#slotB[slot] = 0;
    if (!succeeded) return;
    this.#recentA[a & (RECENT - 1)] = a;
    this.#recentB[a & (RECENT - 1)] = b;
  }

  #isRunning(a: number, b: number): boolean {
    for (let slot = this.#slotA.indexOf(a); slot >= 0; slot = this.#slotA.indexOf(a, slot + 1))
      if (this.#slotB[slot] === b) return true;
    return false;
  }

  /** Two multiplicative hashes over the characters, each mixed with the other at the end (after bryc's cyrb53). */
  #hash({ framework, queue, jobId, jobScope, enqueuedMs }: JobIdentity): void {
    const scope = jobScope ?? this.#scope(framework, queue);
    const made = enqueuedMs ?? 0;
    let a = scope ^ (made | 0);
    let b = ~scope ^ Math.trunc(made / 2 ** 32) ^ Math.imul(made | 0, 0x9e3779b1);
    for (let i = 0; i < jobId.length; i++) {
      const code = jobId.charCodeAt(i);
      a = Math.imul(a ^ code, 2654435761);
      b = Math.imul(b ^ code, 1597334677);
    }
    a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
    b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
    this.#a = a;
    // Two zeros stand for no job.
    this.#b = b === 0 ? 1 : b;
  }

  #scope(framework: string, queue: string): number {
    let scope = this.#scopes.get(queue);
    if (scope === undefined) {
      if (this.#scopes.size >= MAX_SCOPES) this.#scopes.clear();
      scope = textHash(queue);
      this.#scopes.set(queue, scope);
    }
    return scope ^ framework.length;
  }
}

/** A 32-bit hash of a text, such as of what job ids are unique within. */
export function textHash(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}
