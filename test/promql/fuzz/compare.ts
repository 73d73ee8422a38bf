import { labelsKey } from '../../../src/model/labels.ts';
import { compile, type Dialect, evaluateInstant, V2, V3 } from '../../../src/promql/promql.ts';
import type { SeriesStore } from '../../../src/store/series-store.ts';
import { Expressions } from './expressions.ts';
import { type Answer, type Asked, askPromtool, type Query } from './promtool.ts';
import { Random } from './random.ts';
import { load, randomSeries } from './series.ts';

/** Relative. */
const TOLERANCE = 1e-9;

export interface Outcome {
  cases: number;
  /** Cases whose answer was neither empty nor an error. */
  answered: number;
  /** Cases that promtool itself answered differently when asked again: its order of series is random. */
  undecided: number;
  readonly differences: string[];
}

/** How often promtool is asked again before a difference counts. */
const REPEATS = 8;

export interface FuzzOptions {
  readonly seed: number;
  readonly groups: number;
  /** Of each group. */
  readonly queries: number;
}

/** Compares random cases with a promtool, the same ones for the same seed. */
export function compareWithPromtool(
  promtool: string,
  dialect: Dialect,
  { seed, groups, queries }: FuzzOptions,
): Outcome {
  const outcome: Outcome = { cases: groups * queries, answered: 0, undecided: 0, differences: [] };
  for (let at = 0; at < groups; at++) {
    compareGroup(promtool, dialect, randomGroup(seed + at, queries, dialect === V3), outcome);
  }
  return outcome;
}

function randomGroup(seed: number, count: number, v3: boolean): Asked {
  const random = new Random(Math.imul(seed, 0x9e3779b1));
  const group = randomSeries(random);
  const expressions = new Expressions(random, v3);
  const length = Math.max(...group.series.map(({ points }) => points.length));
  const queries = Array.from({ length: count }, (): Query => {
    const tick = random.int(0, length + 2) * group.intervalS * 1000;
    // Half of them on the very time of samples, where it matters on which side a window is open.
    return {
      expr: expressions.next(),
      t: tick + (random.chance(0.5) ? 0 : random.int(1, group.intervalS * 1000 - 1)),
    };
  });
  return { group, queries };
}

function compareGroup(promtool: string, dialect: Dialect, asked: Asked, outcome: Outcome): void {
  const store = load(asked.group);
  const mine = asked.queries.map((query) => answer(store, query, dialect, asked.group.intervalS * 1000));
  const theirs = askPromtool(promtool, asked);
  for (const [at, query] of asked.queries.entries()) {
    const own = mine[at]!;
    const other = theirs[at]!;
    if (typeof own !== 'string' && own.size > 0) outcome.answered++;
    if (same(own, other, dialect)) continue;
    if (isUndecided(promtool, dialect, { ...asked, queries: [query] }, other)) outcome.undecided++;
    else
      outcome.differences.push(
        `${query.expr} at ${query.t} ms:\n  here  ${show(own)}\n  there ${show(other)}`,
      );
  }
}

function isUndecided(promtool: string, dialect: Dialect, asked: Asked, first: Answer): boolean {
  for (let at = 0; at < REPEATS; at++) {
    if (!same(askPromtool(promtool, asked)[0]!, first, dialect)) return true;
  }
  return false;
}

function answer(store: SeriesStore, { expr, t }: Query, dialect: Dialect, subqueryStepMs: number): Answer {
  try {
    const value = evaluateInstant(compile(expr, dialect), store, t, { subqueryStepMs });
    if (value.type === 'scalar') return new Map([['', value.value]]);
    if (value.type !== 'vector') return `a ${value.type}`;
    return new Map(value.samples.map(({ labels, value }) => [labelsKey(labels), value]));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Versions have their own words for errors. */
function same(a: Answer, b: Answer, dialect: Dialect): boolean {
  if (typeof a === 'string' && typeof b === 'string') return a === b || dialect === V2;
  if (typeof a === 'string' || typeof b === 'string') return false;
  return a.size === b.size && [...a].every(([key, value]) => close(value, b.get(key)));
}

function close(a: number, b: number | undefined): boolean {
  if (b === undefined) return false;
  return Object.is(a, b) || a === b || Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
}

function show(answer: Answer): string {
  return typeof answer === 'string'
    ? answer
    : JSON.stringify([...answer].map(([key, value]) => `${key} ${value}`).sort());
}
