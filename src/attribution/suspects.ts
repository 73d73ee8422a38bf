import { type Basis, type Coefficient, type Column, coefficient } from './regression.ts';
import type { Columns } from './sample-window.ts';
import { type Candidate, candidatesOf, nuisanceOf, select, withAll } from './selection.ts';

/** A task whose runs leave heap behind, as far as one look at the samples tells. */
export interface Suspect {
  readonly task: string;
  /** Bytes per run. */
  readonly retained: Coefficient;
  /** Bytes that the samples have gained through it. */
  readonly grown: number;
  /** Tasks that explain the growth as well, as they always run together with it; with any of them nothing is established. */
  readonly group: readonly string[];
}

export interface SuspectLimits {
  /** Standard errors that a coefficient must be above 0. */
  readonly confidence: number;
  /** Bytes that the samples must have gained through a task, below which a cache that fills looks the same. */
  readonly minGrowthBytes: number;
}

/** Standard errors that a task must keep while a rival explanation is given its chance. */
const RIVAL_CONFIDENCE = 3;
/** Where the samples are cut to see whether growth went on, as shares of their number. */
const CUTS = [1 / 2, 2 / 3, 3 / 4, 5 / 6] as const;

/** Tasks that explain the growth of the heap, that hold against every other explanation, and go on. */
export function findSuspects(columns: Columns, limits: SuspectLimits): Suspect[] {
  const { heap } = columns;
  if (Math.max(...heap) - Math.min(...heap) < limits.minGrowthBytes) return [];
  const nuisance = nuisanceOf(columns);
  const candidates = candidatesOf(columns, nuisance);
  const chosen = select(nuisance, candidates, heap, limits.confidence);
  const suspects: Suspect[] = [];
  for (const candidate of chosen) {
    const { task, values } = candidate;
    if (task === undefined) continue;
    const beside = withAll(
      nuisance,
      chosen.filter((other) => other !== candidate),
    );
    const retained = coefficient(beside, values, heap);
    if (retained === undefined || retained.value * values.at(-1)! < limits.minGrowthBytes) continue;
    const rivals = candidates.filter(
      (other) => !chosen.includes(other) && !holds(other, beside, values, heap),
    );
    const group = rivals.flatMap((rival) => rival.task ?? []);
    // Against what is no task: growth with time, for one.
    if (group.length < rivals.length) continue;
    // What would be said if there were no such task: it must add to that too.
    const without = candidates.filter((other) => other !== candidate && !rivals.includes(other));
    const instead = withAll(nuisance, select(nuisance, without, heap, limits.confidence));
    if ((coefficient(instead, values, heap)?.z ?? 0) < limits.confidence) continue;
    if (!goesOn(beside, values, heap)) continue;
    suspects.push({ task, retained, grown: retained.value * values.at(-1)!, group });
  }
  return suspects;
}

/**
 * Growth over time, in bytes/s, that is left once `known` bytes per run of each task are taken off; undefined while
 * it cannot be told from none.
 */
export function unexplainedGrowth(
  columns: Columns,
  known: ReadonlyMap<string, number>,
  limits: SuspectLimits,
): number | undefined {
  const rest = Float64Array.from(columns.heap);
  for (const [task, bytesPerRun] of known) {
    const runs = columns.tasks.get(task);
    if (runs !== undefined) for (let i = 0; i < rest.length; i++) rest[i]! -= bytesPerRun * runs[i]!;
  }
  const nuisance = nuisanceOf(columns);
  const slope = coefficient(nuisance, columns.time, rest);
  if (slope === undefined || slope.z < limits.confidence) return undefined;
  if (slope.value * columns.time.at(-1)! < limits.minGrowthBytes) return undefined;
  return goesOn(nuisance, columns.time, rest) ? slope.value : undefined;
}

/** Whether the coefficient of `values` is still clear of 0 beside a rival. */
function holds(rival: Candidate, beside: Basis, values: Column, heap: Column): boolean {
  return (coefficient(beside.with(rival.values), values, heap)?.z ?? 0) >= RIVAL_CONFIDENCE;
}

/**
 * Whether growth goes on: `x` is cut in two, and its later part must leave as much behind as the earlier. It is
 * asked to show it in the newest half, and not to show the contrary in any shorter stretch.
 */
function goesOn(others: Basis, x: Column, heap: Column): boolean {
  return CUTS.every((cut, i) => {
    const edge = x[Math.floor(x.length * cut)]!;
    const earlier = x.map((value) => Math.min(value, edge));
    const later = x.map((value) => Math.max(value - edge, 0));
    const before = coefficient(others.with(later), earlier, heap);
    const after = coefficient(others.with(earlier), later, heap);
    if (before === undefined || after === undefined) return i > 0;
    if (i === 0 && after.z < 2) return false;
    return after.value + 2 * after.standardError >= before.value / 2;
  });
}
