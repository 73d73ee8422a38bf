/** How far a wall clock may drift between two evaluations, ms, before that counts as a leap. */
const LEAP_MS = 1000;

/** What happened to time between two evaluations. */
export interface Passage {
  /** By how much the wall clock was set, or a sleep of the machine not seen by the steady clock, ms; 0 = it went its way. */
  readonly leap: number;
  /** Time in which nobody looked, the leap included, ms; 0 while evaluations come as they should. */
  readonly unseen: number;
}

/**
 * Compares the times of evaluations with a clock that is never set. A condition held only as long as somebody looked: what a machine
 * slept through, or a process did not live to see, is no time for an alert to wait.
 */
export class TimeLine {
  readonly #outageMs: number;
  #last: { t: number; elapsed: number } | undefined;

  /** @param outageMs longest time between two evaluations, ms, after which the time between them counts as unseen */
  constructor(outageMs: number) {
    this.#outageMs = outageMs;
  }

  /** @param elapsed what the steady clock says at wall time `t`, ms */
  at(t: number, elapsed: number): Passage {
    const last = this.#last;
    this.#last = { t, elapsed };
    if (last === undefined) return { leap: 0, unseen: 0 };
    const passed = elapsed - last.elapsed;
    const drift = t - last.t - passed;
    const leap = Math.abs(drift) >= LEAP_MS ? drift : 0;
    return { leap, unseen: leap + (passed > this.#outageMs ? passed : 0) };
  }
}
