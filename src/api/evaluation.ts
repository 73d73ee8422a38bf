import { TaskwardenError } from '../model/errors.ts';
import type { Labels } from '../model/labels.ts';
import type { Queryable } from '../model/queryable.ts';
import { keyOf } from '../promql/label-ops.ts';
import {
  compile,
  type EvaluateOptions,
  type Expression,
  evaluateInstant,
  evaluateRange,
  type MatrixValue,
  type Value,
} from '../promql/promql.ts';
import { ApiError } from './answer.ts';
import { invalid } from './parameters.ts';
import { TIMED_OUT, type Turn } from './turn.ts';

/** Samples that one query may take, all in all: some seconds of work. */
const MAX_SAMPLES = 20_000_000;
/** How long the thread may be kept by a single step, which cannot be interrupted, ms: rules and watchdog wait for it. */
const STEP_MS = 250;
/** Samples between two looks at the clock. */
const CLOCK_EVERY = 5000;
/** Samples of an answer: what a reader that does not read may keep in memory, some 30 bytes each. */
const MAX_RESULT = 250_000;

/** Said where the stack does not suffice for an expression. */
const TOO_DEEP = 'expression is nested too deeply';

export interface EvaluationOptions {
  readonly queryable: Queryable;
  readonly turn: Turn;
  readonly lookbackMs: number | undefined;
}

/** @throws ApiError bad_data with the position, in the words of Prometheus; execution for what Prometheus finds wrong when it evaluates */
export function compileParameter(name: string, text: string): Expression {
  try {
    return compile(text);
  } catch (error) {
    if (error instanceof TaskwardenError) {
      if (error.position === undefined) throw new ApiError('execution', error.message);
      return invalid(name, error.message);
    }
    if (error instanceof RangeError) return invalid(name, TOO_DEEP);
    throw error;
  }
}

/** @throws ApiError execution, timeout */
export function atTime(
  expression: Expression,
  t: number,
  { queryable, turn, lookbackMs }: EvaluationOptions,
): Value {
  const value = refusing(() => evaluateInstant(expression, queryable, t, budget(turn, lookbackMs)));
  if (value.type === 'matrix') count(value);
  return value;
}

/**
 * A range, evaluated a few steps at a time, so that rules and watchdog come in between: series of all steps, ordered by their labels.
 * @throws ApiError execution, timeout, canceled
 */
export async function overTime(
  expression: Expression,
  { from, to, step }: { from: number; to: number; step: number },
  { queryable, turn, lookbackMs }: EvaluationOptions,
): Promise<MatrixValue> {
  const all = new Map<string, { labels: Labels; times: number[]; values: number[] }>();
  const taken = { samples: 0 };
  let total = 0;
  let steps = 1;
  for (let start = from; start <= to; ) {
    const end = Math.min(start + (steps - 1) * step, to);
    const options = { ...budget(turn, lookbackMs, taken), startMs: from, endMs: to };
    const part = refusing(() => evaluateRange(expression, queryable, start, end, step, options));
    total += count(part, total);
    for (const { labels, times, values } of part.series) {
      const known = all.get(keyOf(labels));
      if (known === undefined) all.set(keyOf(labels), { labels, times: [...times], values: [...values] });
      else {
        known.times.push(...times);
        known.values.push(...values);
      }
    }
    start += steps * step;
    if (turn.used < 0.3) steps *= 2;
    else if (turn.used > 1) steps = Math.max(1, steps >> 1);
    await turn.rest();
  }
  const series = [...all].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
  return { type: 'matrix', series };
}

/** What an evaluation of one part may take. `taken` counts over all parts of a query. */
function budget(turn: Turn, lookbackMs: number | undefined, taken = { samples: 0 }): EvaluateOptions {
  const latest = performance.now() + Math.min(turn.leftMs, STEP_MS);
  let look = taken.samples + CLOCK_EVERY;
  const onTaken = (samples: number): void => {
    taken.samples += samples;
    if (taken.samples > MAX_SAMPLES)
      throw new ApiError('execution', `query would take more than ${MAX_SAMPLES} samples`);
    if (taken.samples < look) return;
    look = taken.samples + CLOCK_EVERY;
    if (performance.now() > latest) throw new ApiError('timeout', TIMED_OUT);
  };
  return { onTaken, ...(lookbackMs !== undefined && { lookbackMs }) };
}

function count({ series }: MatrixValue, before = 0): number {
  const samples = series.reduce((sum, { values }) => sum + values.length, 0);
  if (before + samples > MAX_RESULT)
    throw new ApiError(
      'execution',
      `query would return more than ${MAX_RESULT} samples; ask for fewer series or a larger step`,
    );
  return samples;
}

/** What PromQL says of a query that cannot be answered. */
function refusing<T>(evaluate: () => T): T {
  try {
    return evaluate();
  } catch (error) {
    if (error instanceof TaskwardenError) throw new ApiError('execution', error.message);
    if (error instanceof RangeError) throw new ApiError('execution', TOO_DEEP);
    throw error;
  }
}
