/** Steps of the clock from one reading to the next are a ten-thousandth of a ms; in a longer one the thread was not on a CPU, ms. */
const LONGEST_STEP_MS = 0.05;

/**
 * Keeps the thread busy for `ms` of CPU time, however long that takes on a busy machine.
 *
 * @returns how much it was, ms
 */
export function spin(ms: number): number {
  let spent = 0;
  for (let last = performance.now(); spent < ms; ) {
    const at = performance.now();
    if (at - last < LONGEST_STEP_MS) spent += at - last;
    last = at;
  }
  return spent;
}
