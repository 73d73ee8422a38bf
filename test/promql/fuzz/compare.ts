import { labelsKey } from '../../../src/model/labels.ts';
import { Memo } from '../../../src/promql/memo.ts';
import {
  compile,
  type Dialect,
  type EvaluateOptions,
  evaluateInstant,
  evaluateRange,
  V3,
} from '../../../src/promql/promql.ts';
import { V2 } from '../../../src/promql/v2.ts';
import type { SeriesStore } from '../../../src/store/series-store.ts';
import { Expressions } from './expressions.ts';
import { type Answer, type Asked, askPromtool, type Query } from './promtool.ts';
import { Random } from './random.ts';
import { load, randomSeries, type SeriesGroup } from './series.ts';

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
const REPEATS = 40;

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
  let t = 0;
  const queries = Array.from({ length: count }, (): Query => {
    // Several of one moment share results, as rules do.
    if (random.chance(0.5)) t = randomTime(random, group);
    return { expr: expressions.next(), t };
  });
  return { group, queries };
}

/** Half of them on the very time of samples, where it matters on which side a window is open. */
function randomTime(random: Random, { intervalS, series }: SeriesGroup): number {
  const ticks = Math.max(...series.map(({ points }) => points.length));
  const step = intervalS * 1000;
  return random.int(0, ticks + 2) * step + (random.chance(0.5) ? 0 : random.int(1, step - 1));
}

function compareGroup(promtool: string, dialect: Dialect, asked: Asked, outcome: Outcome): void {
  const store = load(asked.group);
  const options = { subqueryStepMs: asked.group.intervalS * 1000, memo: new Memo() };
  const mine = asked.queries.map((query) => answer(store, query, dialect, options));
  const theirs = askPromtool(promtool, asked);
  for (const [at, query] of asked.queries.entries()) {
    const own = mine[at]!;
    const other = theirs[at]!;
    if (typeof own !== 'string' && own.size > 0) outcome.answered++;
    const step = stepOf(store, query, dialect, asked.group.intervalS * 1000);
    if (step !== undefined && !same(own, step, dialect)) {
      outcome.differences.push(
        `${query.expr} at ${query.t} ms:\n  instant ${show(own)}\n  range   ${show(step)}`,
      );
    }
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

function answer(store: SeriesStore, { expr, t }: Query, dialect: Dialect, options: EvaluateOptions): Answer {
  try {
    const value = evaluateInstant(compile(expr, dialect), store, t, options);
    if (value.type === 'scalar') return new Map([['', value.value]]);
    if (value.type !== 'vector') return `a ${value.type}`;
    return new Map(value.samples.map(({ labels, value }) => [labelsKey(labels), value]));
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What a range query gives at that moment; undefined where other moments have an error or another meaning. */
function stepOf(
  store: SeriesStore,
  { expr, t }: Query,
  dialect: Dialect,
  subqueryStepMs: number,
): Answer | undefined {
  if (/\b(?:start|end)\(\)/.test(expr)) return undefined;
  const step = 61_000;
  try {
    const expression = compile(expr, dialect);
    const { series } = evaluateRange(expression, store, t - step, t + step, step, { subqueryStepMs });
    const at = series.filter(({ times }) => times.includes(t));
    return new Map(at.map(({ labels, times, values }) => [labelsKey(labels), values[times.indexOf(t)]!]));
  } catch {
    return undefined;
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
