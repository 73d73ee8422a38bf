import { type Basis, type Coefficient, type Column, coefficient } from './regression.ts';
import type { Columns } from './sample-window.ts';
import { type Candidate, candidatesOf, nuisanceOf, select, withAll } from './selection.ts';
import { type Whiten, whiteningOf } from './whitening.ts';

/** A task whose runs leave heap behind, as far as one look at the samples tells. */
export interface Suspect {
  readonly task: string;
  /** Bytes per run. */
  readonly retained: Coefficient;
  /** Bytes that the samples have gained through it. */
  readonly grown: number;
  /** Tasks that explain the growth as well, as they always run together with it; with any of them nothing is established. */
  readonly group: readonly string[];
  /** Whether the newest third of its runs has left about as much behind as the oldest: see `isSteady`. */
  readonly steady: boolean;
}

export interface SuspectLimits {
  /** Standard errors that a coefficient must be above 0. */
  readonly confidence: number;
  /** What the samples must have gained through a task to suspect it, in their unit. */
  readonly minGrowth: number;
}

/** Standard errors that a task must keep while a rival explanation is given its chance. */
const RIVAL_CONFIDENCE = 3;
/** Where the samples are cut to see whether growth went on, as shares of their number. */
const CUTS = [1 / 2, 2 / 3, 3 / 4, 5 / 6] as const;
/** Growth without an owner worth telling of, as a multiple of what a task is suspected of: a heap that wavers looks like it for a while. */
const UNEXPLAINED = 4;
/** What the newest third of the runs must leave behind beside the oldest to be steady: as estimated, and at the least (2 standard errors). */
const STEADY = { estimate: 0.8, lower: 0.5 };

/** Samples as they are fitted. */
export interface View {
  readonly columns: Columns;
  readonly whiten: Whiten;
  /** Whitened. */
  readonly heap: Column;
  /** What every fit accounts for. */
  readonly nuisance: Basis;
}

/** Undefined where the samples differ by less than anybody would be suspected of. */
export function viewOf(columns: Columns, { minGrowth }: SuspectLimits): View | undefined {
  if (Math.max(...columns.heap) - Math.min(...columns.heap) < minGrowth) return undefined;
  const whiten = whiteningOf(columns);
  return { columns, whiten, heap: whiten(columns.heap), nuisance: nuisanceOf(columns, whiten) };
}

/** A fit that something is to be added to: what it accounts for, and what it is to explain. */
interface Fitted {
  readonly others: Basis;
  readonly heap: Column;
  readonly whiten: Whiten;
}

/** Tasks that explain the growth of the heap, that hold against every other explanation, and go on. */
export function findSuspects(view: View, limits: SuspectLimits): Suspect[] {
  const { columns, whiten, heap, nuisance } = view;
  const candidates = candidatesOf(columns, whiten, nuisance);
  const chosen = select(nuisance, candidates, heap, limits.confidence);
  const suspects: Suspect[] = [];
  for (const candidate of chosen) {
    const { task, raw, values } = candidate;
    if (task === undefined) continue;
    const beside = withAll(
      nuisance,
      chosen.filter((other) => other !== candidate),
    );
    const retained = coefficient(withWarmUp(view, beside, values), values, heap);
    if (retained === undefined || retained.z < limits.confidence) continue;
    if (retained.value * raw.at(-1)! < limits.minGrowth) continue;
    const rivals = candidates.filter(
      (other) => !chosen.includes(other) && !holds(other, beside, values, heap),
    );
    const group = rivals.flatMap((rival) => rival.task ?? []);
    // Against what is no task: growth with time, for one.
    if (group.length < rivals.length) continue;
    // What would be said if there were no such task: it must add to that too.
    const without = candidates.filter((other) => other !== candidate && !rivals.includes(other));
    const instead = withAll(nuisance, select(nuisance, without, heap, limits.confidence));
    if ((coefficient(instead, values, heap)?.z ?? 0) < RIVAL_CONFIDENCE) continue;
    const fitted = { others: beside, heap, whiten };
    if (!goesOn(fitted, raw)) continue;
    const grown = retained.value * raw.at(-1)!;
    suspects.push({ task, retained, grown, group, steady: isSteady(fitted, raw) });
  }
  return suspects;
}

/**
 * Growth over time, in bytes/s, that is left once `known` bytes per run of each task are taken off; undefined while
 * it cannot be told from none.
 */
export function unexplainedGrowth(
  { columns, whiten, nuisance }: View,
  known: ReadonlyMap<string, number>,
  limits: SuspectLimits,
): number | undefined {
  const rest = Float64Array.from(columns.heap);
  for (const [task, perRun] of known) {
    const runs = columns.tasks.get(task);
    if (runs !== undefined) for (let i = 0; i < rest.length; i++) rest[i]! -= perRun * runs[i]!;
  }
  const heap = whiten(rest);
  const slope = coefficient(nuisance, whiten(columns.time), heap);
  if (slope === undefined || slope.z < limits.confidence) return undefined;
  if (slope.value * columns.time.at(-1)! < UNEXPLAINED * limits.minGrowth) return undefined;
  return goesOn({ others: nuisance, heap, whiten }, columns.time) ? slope.value : undefined;
}

/**
 * Whether what a task is suspected of by its newest `runs` alone stands out among all samples, too, beside the tasks that explain these: so few samples
 * take one task for another.
 */
export function standsOut(
  { columns, whiten, heap, nuisance }: View,
  { task, runs }: { task: string; runs: number },
  found: Iterable<string>,
  { confidence }: SuspectLimits,
): boolean {
  const all = columns.tasks.get(task);
  if (all === undefined) return false;
  const edge = all.at(-1)! - runs;
  const before = whiten(all.map((value) => Math.min(value, edge)));
  const newest = whiten(all.map((value) => Math.max(value - edge, 0)));
  const others = nuisance.with(
    before,
    ...[...found].flatMap((other) => columns.tasks.get(other) ?? []).map(whiten),
  );
  return (coefficient(others, newest, heap)?.z ?? 0) >= confidence;
}

/** `basis` with the warm-up of the worker, where there is one beside `values`. It is mostly too little to be chosen, and would all be laid to them. */
function withWarmUp({ columns, whiten, heap }: View, basis: Basis, values: Column): Basis {
  if (columns.warmUp === undefined) return basis;
  const warmUp = whiten(columns.warmUp);
  const added = coefficient(basis.with(values), warmUp, heap)?.value ?? 0;
  return added > 0 ? basis.with(warmUp) : basis;
}

/** Whether the coefficient of `values` is still clear of 0 beside a rival. */
function holds(rival: Candidate, beside: Basis, values: Column, heap: Column): boolean {
  return (coefficient(beside.with(rival.values), values, heap)?.z ?? 0) >= RIVAL_CONFIDENCE;
}

/**
 * Whether growth goes on: `x` is cut in two, and its later part must leave as much behind as the earlier. It is
 * asked to show it in the newest half, and not to show the contrary in any shorter stretch.
 */
function goesOn({ others, heap, whiten }: Fitted, x: Column): boolean {
  return CUTS.every((cut, i) => {
    const edge = x[Math.floor(x.length * cut)]!;
    const earlier = whiten(x.map((value) => Math.min(value, edge)));
    const later = whiten(x.map((value) => Math.max(value - edge, 0)));
    const before = coefficient(others.with(later), earlier, heap);
    const after = coefficient(others.with(earlier), later, heap);
    if (before === undefined || after === undefined) return i > 0;
    if (i === 0 && after.z < 2) return false;
    return after.value + 2 * after.standardError >= before.value / 2;
  });
}

/**
 * Whether runs leave as much behind at the end as at the beginning. A leak does; a cache fills ever more slowly, the more of its keys it
 * has. It is for the newest third to show it, so that noise postpones the answer.
 */
function isSteady({ others, heap, whiten }: Fitted, runs: Column): boolean {
  const [third, twoThirds] = [runs.at(-1)! / 3, (2 * runs.at(-1)!) / 3];
  const oldest = whiten(runs.map((value) => Math.min(value, third)));
  const middle = whiten(runs.map((value) => Math.min(Math.max(value - third, 0), third)));
  const newest = whiten(runs.map((value) => Math.max(value - twoThirds, 0)));
  const before = coefficient(others.with(middle, newest), oldest, heap);
  const now = coefficient(others.with(oldest, middle), newest, heap);
  if (before === undefined || now === undefined) return false;
  return (
    now.value >= STEADY.estimate * before.value &&
    now.value - 2 * now.standardError >= STEADY.lower * before.value
  );
}

/** The same of a task among these samples, all others left out. */
export function isSteadyTask({ columns, whiten, heap, nuisance }: View, task: string): boolean {
  const runs = columns.tasks.get(task);
  return runs !== undefined && isSteady({ others: nuisance, heap, whiten }, runs);
}
