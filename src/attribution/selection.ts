import { Basis, type Column, coefficient, dot, takeOut, unit } from './regression.ts';
import type { Columns } from './sample-window.ts';
import type { Whiten } from './whitening.ts';

/** Something that may explain the growth of the heap. */
export interface Candidate {
  /** Finished runs, or seconds. */
  readonly raw: Column;
  /** The same, whitened. */
  readonly values: Column;
  /** What `nuisanceOf` leaves of the values. */
  readonly rest: Column;
  /** Undefined for what is no task that could be named: time, and the tasks beyond the cap. */
  readonly task: string | undefined;
}

interface Open {
  readonly candidate: Candidate;
  readonly squares: number;
  readonly rest: Column;
}

/** More at once than this are found one after the other, as the first are mended. */
const MOST_CHOSEN = 4;
/** Moments at which growth with time may have begun or ended, as parts of the samples. */
const EDGES = 12;

/** What every fit accounts for: what runs in flight hold. Whitening takes care of the constant. */
export function nuisanceOf(columns: Columns, whiten: Whiten): Basis {
  return new Basis().with(whiten(columns.inFlight));
}

/**
 * All candidates of these samples. Time is one of them, and so is time that began or ended at some moment: these
 * take up a warm-up, a cache that filled, and growth that has nothing to do with tasks.
 */
export function candidatesOf(columns: Columns, whiten: Whiten, nuisance: Basis): Candidate[] {
  const candidate = (raw: Column, task?: string): Candidate => {
    const values = whiten(raw);
    return { task, raw, values, rest: nuisance.residual(values) };
  };
  const candidates = [...columns.tasks].map(([task, values]) => candidate(values, task));
  if (columns.other !== undefined) candidates.push(candidate(columns.other));
  // With one task alone nothing can tell its regular runs from time, and it is the only one to look at.
  if (candidates.length <= 1) return candidates;
  candidates.push(candidate(columns.time));
  for (let i = 1; i < EDGES; i++) {
    const edge = columns.time[Math.floor((columns.length * i) / EDGES)]!;
    candidates.push(candidate(columns.time.map((seconds) => Math.min(seconds, edge))));
    candidates.push(candidate(columns.time.map((seconds) => Math.max(seconds - edge, 0))));
  }
  return candidates;
}

/**
 * The candidates that together explain `heap`, each with a positive coefficient of at least `confidence` standard
 * errors: forward selection under an extended BIC (Chen and Chen 2008), then backward elimination.
 */
export function select(
  nuisance: Basis,
  candidates: readonly Candidate[],
  heap: Column,
  confidence: number,
): Candidate[] {
  let chosen: Candidate[] = [];
  let basis = nuisance;
  const rest = nuisance.residual(heap);
  // What is left of each candidate, kept up to date instead of computed anew in every round.
  const open: Open[] = candidates.map((candidate) => ({
    candidate,
    squares: dot(candidate.values, candidate.values),
    rest: Float64Array.from(candidate.rest),
  }));
  const penalty = Math.log(heap.length) + 2 * Math.log(Math.max(candidates.length, 1));
  while (chosen.length < MOST_CHOSEN) {
    const left = dot(rest, rest);
    const best = strongest(open, rest);
    if (best === undefined || heap.length * Math.log(left / (left - best.gain)) <= penalty) break;
    const fit = coefficient(basis, best.candidate.values, heap);
    if (fit === undefined || fit.z < confidence) break;
    chosen = [...chosen, best.candidate];
    basis = basis.with(best.candidate.values);
    takeOut(rest, best.direction);
    for (const each of open) takeOut(each.rest, best.direction);
  }
  for (;;) {
    const weakest = weakestOf(nuisance, chosen, heap);
    if (weakest === undefined || weakest.z >= confidence) return chosen;
    chosen = chosen.filter((candidate) => candidate !== weakest.candidate);
  }
}

/** `basis` with all of these candidates. */
export function withAll(basis: Basis, candidates: readonly Candidate[]): Basis {
  return basis.with(...candidates.map(({ values }) => values));
}

/** The candidate that explains most of `rest` with a positive coefficient, and its direction. */
function strongest(open: readonly Open[], rest: Column) {
  let best: { candidate: Candidate; gain: number; direction: Column } | undefined;
  for (const { candidate, rest: own, squares } of open) {
    const along = dot(own, rest);
    if (along <= 0 || along ** 2 / dot(own, own) <= (best?.gain ?? 0)) continue;
    const direction = unit(own, squares);
    if (direction !== undefined) best = { candidate, gain: dot(direction, rest) ** 2, direction };
  }
  return best;
}

function weakestOf(nuisance: Basis, chosen: readonly Candidate[], heap: Column) {
  let weakest: { candidate: Candidate; z: number } | undefined;
  for (const candidate of chosen) {
    const others = chosen.filter((other) => other !== candidate);
    const z = coefficient(withAll(nuisance, others), candidate.values, heap)?.z ?? 0;
    if (weakest === undefined || z < weakest.z) weakest = { candidate, z };
  }
  return weakest;
}
