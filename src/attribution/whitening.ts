import { type Column, dot, takeOut, unit } from './regression.ts';
import type { Columns } from './sample-window.ts';

/** Makes the errors of neighbouring samples independent; takes the first sample and any constant out. Linear. */
export type Whiten = (column: Column) => Column;

/**
 * Variance by which the level of memory wanders in the mean time between two samples, as a multiple of the noise of one: 0 is a level that stands still. What runs
 * leave behind at random (some of them, or by their input) makes it wander, and cumulative counts explain any wandering well by chance
 * (Granger and Newbold 1974).
 */
const WANDERINGS = [0, 0.01, 0.1, 1, 10] as const;

/** Of what explains the memory, so many at most have a say in the choice, and half as many as there are samples. */
const MOST_EXPLAINING = 24;

/** The whitening that makes these samples most likely, with time and the tasks that ran most as what may explain them. */
export function whiteningOf(columns: Columns): Whiten {
  const explaining = mainColumns(columns);
  let best: { likelihood: number; whiten: Whiten } | undefined;
  for (const wandering of WANDERINGS) {
    const filter = filterOf(wandering, columns.time);
    const whiten: Whiten = (column) => apply(filter, column);
    const likelihood = restrictedLikelihood(filter, whiten(columns.heap), explaining.map(whiten));
    if (best === undefined || likelihood > best.likelihood) best = { likelihood, whiten };
  }
  return best!.whiten;
}

function mainColumns({ length, inFlight, time, tasks, other }: Columns): Column[] {
  const runs = [...tasks.values()].sort((a, b) => b.at(-1)! - a.at(-1)!);
  const all = [time, inFlight, ...(other === undefined ? [] : [other]), ...runs];
  return all.slice(0, Math.min(MOST_EXPLAINING, Math.max(2, length >> 1)));
}

/** Gain and scale of each prediction error but the first: the Kalman filter of a local level (Durbin and Koopman 2012, section 2.2). */
interface Filter {
  readonly gains: Column;
  readonly scales: Column;
}

/** @param time of the samples, which may be unevenly spaced */
function filterOf(wandering: number, time: Column): Filter {
  const gains = new Float64Array(Math.max(0, time.length - 1));
  const scales = new Float64Array(gains.length);
  const perSecond = (wandering * gains.length) / (time.at(-1)! || 1);
  let variance = 1;
  for (let i = 0; i < gains.length; i++) {
    const predicted = variance + perSecond * (time[i + 1]! - time[i]!);
    scales[i] = Math.sqrt(predicted + 1);
    gains[i] = predicted / (predicted + 1);
    variance = gains[i]!;
  }
  return { gains, scales };
}

function apply({ gains, scales }: Filter, column: Column): Column {
  const errors = new Float64Array(gains.length);
  let level = column[0] ?? 0;
  for (let i = 0; i < errors.length; i++) {
    const error = column[i + 1]! - level;
    errors[i] = error / scales[i]!;
    level += gains[i]! * error;
  }
  return errors;
}

/** Restricted log likelihood but for a constant (Patterson and Thompson 1971). The columns are used up. */
function restrictedLikelihood({ scales }: Filter, heap: Column, explaining: readonly Column[]): number {
  const wholes = explaining.map((column) => dot(column, column));
  let logDeterminant = 0;
  let used = 0;
  for (const [i, column] of explaining.entries()) {
    const direction = unit(column, wholes[i]!);
    if (direction === undefined) continue;
    logDeterminant += Math.log(dot(column, column));
    used++;
    for (const later of explaining.slice(i + 1)) takeOut(later, direction);
    takeOut(heap, direction);
  }
  const degrees = Math.max(1, heap.length - used);
  const squares = Math.max(dot(heap, heap), Number.MIN_VALUE);
  const scale = scales.reduce((sum, each) => sum + Math.log(each), 0);
  return -(degrees * Math.log(squares) + logDeterminant) / 2 - scale;
}
