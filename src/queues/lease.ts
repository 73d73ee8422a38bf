import { integer, text } from './reply.ts';
import type { Poll } from './system.ts';

/** Leader: this agent polls. Standby: another does. Refused: Redis takes no writes from us, so that nobody can be agreed upon. */
export type Role = 'leader' | 'standby' | 'refused';

/** How long a lease lasts, in intervals. With a look at it every half interval, a dead leader is replaced within two. */
const LASTS = 1.5;
export const STANDBY_LOOKS = 0.5;
/** What numbers the terms is left behind no longer than this. They may begin at 1 again then, as no answer is on its way for so long. */
const FENCE_MS = 7 * 86_400_000;

/**
 * Who polls the queues of one system under one prefix of one Redis: a key with the agent's name, which ends by itself. It is all that is
 * written but for actions, see writes.ts. Each term has a number (the fencing token), so that a leader that was away for
 * a while cannot take the key of its own next term, or another's, for the one it holds.
 */
export class Lease {
  readonly #key: string;
  readonly #fence: string;
  readonly #owner: string;
  /** What the key holds while this agent leads. */
  #term: string | undefined;
  #endsMs = Number.NEGATIVE_INFINITY;

  /** @param owner unique among all agents */
  constructor(scope: string, owner: string) {
    this.#key = `taskwarden:lease:{${scope}}`;
    this.#fence = `taskwarden:fence:{${scope}}`;
    this.#owner = owner;
  }

  /** Whether this agent still leads: nobody else can by then. @param nowMs monotonic */
  holds(nowMs: number): boolean {
    return this.#term !== undefined && nowMs < this.#endsMs;
  }

  /** Renews the lease, or takes it when it is free. @param nowMs monotonic, before the commands are sent */
  *renew(nowMs: number, intervalMs: number): Poll<Role> {
    const ttl = Math.ceil(intervalMs * LASTS);
    const [held, prolonged] =
      this.#term === undefined
        ? yield [['GET', this.#key]]
        : yield [
            ['GET', this.#key],
            // Sent along unseen: if another agent has taken the key meanwhile, this prolongs its lease, once.
            ['PEXPIRE', this.#key, ttl],
          ];
    if (held instanceof Error) return 'refused';
    if (held !== null) {
      if (this.#term !== undefined && text(held) === this.#term && !(prolonged instanceof Error)) {
        // Answers of a later renewal may have come first.
        this.#endsMs = Math.max(this.#endsMs, nowMs + ttl);
        return 'leader';
      }
      this.#term = undefined;
      return 'standby';
    }
    return yield* this.#take(nowMs, ttl);
  }

  /** Whether Redis says so, too. */
  *isHeld(): Poll<boolean> {
    if (this.#term === undefined) return false;
    const [held] = yield [['GET', this.#key]];
    return text(held) === this.#term;
  }

  /** Gives the lease back, so that another need not wait for its end. */
  *release(): Poll<void> {
    if (this.#term === undefined) return;
    const [held] = yield [['GET', this.#key]];
    if (text(held) === this.#term) yield [['PEXPIRE', this.#key, 1]];
    this.#term = undefined;
  }

  *#take(nowMs: number, ttl: number): Poll<Role> {
    this.#term = undefined;
    const [token] = yield [
      ['INCR', this.#fence],
      ['PEXPIRE', this.#fence, FENCE_MS],
    ];
    const number = integer(token);
    if (number === undefined) return 'refused';
    const term = `${number} ${this.#owner}`;
    const [set] = yield [['SET', this.#key, term, 'PX', ttl, 'NX']];
    if (set instanceof Error) return 'refused';
    if (text(set) !== 'OK') return 'standby';
    this.#term = term;
    this.#endsMs = nowMs + ttl;
    return 'leader';
  }
}
