import type { Outbox } from '../bridge/outbox.ts';
import { BREAKER_OUTCOMES, BREAKER_STATES, type BreakerRow } from '../bridge/protocol.ts';

type Outcome = (typeof BREAKER_OUTCOMES)[number];
type State = (typeof BREAKER_STATES)[number];

/** What has changed about the circuit breakers of a name and group since it was last handed over. */
export class BreakerCounts {
  readonly #row: BreakerRow;
  readonly #onChange: (counts: BreakerCounts) => void;
  #isChanged = false;

  constructor(name: string, group: string, onChange: (counts: BreakerCounts) => void) {
    this.#row = {
      name,
      group,
      states: BREAKER_STATES.map(() => 0),
      calls: BREAKER_OUTCOMES.map(() => 0),
      openings: 0,
      fallbacks: 0,
    };
    this.#onChange = onChange;
  }

  /** A breaker goes from one state to another; undefined where it is not, yet or any longer. */
  moved(from: State | undefined, to: State | undefined): void {
    if (from !== undefined) this.#row.states[BREAKER_STATES.indexOf(from)]!--;
    if (to !== undefined) this.#row.states[BREAKER_STATES.indexOf(to)]!++;
    this.#touch();
  }

  called(outcome: Outcome): void {
    this.#row.calls[BREAKER_OUTCOMES.indexOf(outcome)]!++;
    this.#touch();
  }

  opened(): void {
    this.#row.openings++;
    this.#touch();
  }

  fellBack(): void {
    this.#row.fallbacks++;
    this.#touch();
  }

  /** @returns whether the agent could be told */
  tell(outbox: Outbox): boolean {
    if (!outbox.breaker(this.#row)) return false;
    this.#row.states.fill(0);
    this.#row.calls.fill(0);
    this.#row.openings = 0;
    this.#row.fallbacks = 0;
    this.#isChanged = false;
    return true;
  }

  #touch(): void {
    if (this.#isChanged) return;
    this.#isChanged = true;
    this.#onChange(this);
  }
}

/** Circuit breakers of the application, gathered between two hand-overs. */
export class Breakers {
  readonly #max: number;
  readonly #known = new Map<string, BreakerCounts>();
  readonly #changed: BreakerCounts[] = [];

  /** @param max names that are told apart; further ones are "other" */
  constructor(max: number) {
    this.#max = max;
  }

  of(name: string, group: string): BreakerCounts {
    const key = `${name}\u0001${group}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    if (this.#known.size < this.#max) return this.#add(key, name, group);
    return this.#known.get('other') ?? this.#add('other', 'other', 'other');
  }

  #add(key: string, name: string, group: string): BreakerCounts {
    const onChange = (counts: BreakerCounts): void => void this.#changed.push(counts);
    const counts = new BreakerCounts(name.slice(0, 255), group.slice(0, 255), onChange);
    this.#known.set(key, counts);
    return counts;
  }

  /** Hands over what has changed; what the ring has no room for waits for the next time. */
  flush(outbox: Outbox): void {
    while (this.#changed.length > 0) {
      if (!this.#changed.at(-1)!.tell(outbox)) return;
      this.#changed.pop();
    }
  }
}
