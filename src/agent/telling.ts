import { monotonicMs } from '../model/clock.ts';

/** A log that is kept for a day, or begins with a restart of its collector, is to have what still holds. */
const AGAIN_MS = 60 * 60_000;

/** Whether to say something that has been said before: at first, then once an hour while it goes on. */
export function createTelling(now: () => number = monotonicMs): (what: string) => boolean {
  const told = new Map<string, number>();
  return (what) => {
    const lastMs = told.get(what);
    if (lastMs !== undefined && now() - lastMs < AGAIN_MS) return false;
    told.set(what, now());
    return true;
  };
}
