import { evaluationError } from './errors.ts';

/** Samples between two looks at the clock: well below a millisecond of work. */
const CLOCK_EVERY = 5000;

/**
 * For `onTaken` of an evaluation, which it ends when `limitMs` have passed since this call. `now` gives ms.
 * @returns a function that throws TaskwardenError TASKWARDEN_PROMQL
 */
export function timeLimit(now: () => number, limitMs: number): (samples: number) => void {
  const latest = now() + limitMs;
  let left = CLOCK_EVERY;
  return (samples) => {
    left -= samples;
    if (left > 0) return;
    left = CLOCK_EVERY;
    if (now() > latest) throw evaluationError(`query timed out in expression evaluation after ${limitMs} ms`);
  };
}
