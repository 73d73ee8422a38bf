import type { Labels } from '../model/labels.ts';
import type { Queryable, Sample } from '../model/queryable.ts';
import type { Expression } from './compile.ts';
import { evaluationError } from './errors.ts';
import { keyOf } from './label-ops.ts';
import type { Memo } from './memo.ts';
import { assertUnique, type Context, type Window } from './plan.ts';

export interface EvaluateOptions {
  /** How old the latest sample of an instant selector may be, ms. Default 5 minutes. */
  readonly lookbackMs?: number;
  /** Resolution of subqueries that name none, ms. Default 1 minute, Prometheus's default evaluation interval. */
  readonly subqueryStepMs?: number;
  /** Samples and steps that one query may take, all in all, before it is refused. Default 50 million. */
  readonly maxSamples?: number;
  /** Told of samples as they are taken or made: what it throws ends the evaluation, as where time has run out. */
  readonly onTaken?: (samples: number) => void;
  /** What `start()` and `end()` mean where only a part of a range is evaluated, ms. Default: the times of the call. */
  readonly startMs?: number;
  readonly endMs?: number;
  /** Shares results with other instant queries for the same moment; samples of the result must then be left as they are. */
  readonly memo?: Memo;
}

/** The samples of one series: times in ms since the Unix epoch. */
export interface Series {
  readonly labels: Labels;
  readonly times: readonly number[];
  readonly values: readonly number[];
}

export interface MatrixValue {
  readonly type: 'matrix';
  readonly series: Series[];
}

export type Value =
  | { readonly type: 'scalar'; readonly value: number }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'vector'; readonly samples: Sample[] }
  | MatrixValue;

const LOOKBACK_MS = 300_000;
const SUBQUERY_STEP_MS = 60_000;
const MAX_SAMPLES = 50_000_000;

/**
 * The value of an expression at `t` (ms since the Unix epoch).
 * @throws TaskwardenError TASKWARDEN_PROMQL when series cannot be matched, or the query reads too many samples.
 */
export function evaluateInstant(
  expression: Expression,
  queryable: Queryable,
  t: number,
  options: EvaluateOptions = {},
): Value {
  const { plan } = expression;
  const context = contextOf(queryable, t, t, options);
  switch (plan.type) {
    case 'scalar':
      return { type: 'scalar', value: plan.at(context, t) };
    case 'string':
      return { type: 'string', value: plan.value };
    case 'vector':
      return { type: 'vector', samples: plan.at(context, t) };
    case 'matrix':
      return { type: 'matrix', series: plan.at(context, t).windows.map(toSeries) };
  }
}

/**
 * An expression at `from`, `from + step`, … up to `to` (ms): one series per label set, without the steps at which it
 * had no value.
 * @throws TaskwardenError as {@link evaluateInstant}, or when the expression is neither scalar nor instant vector.
 */
export function evaluateRange(
  expression: Expression,
  queryable: Queryable,
  from: number,
  to: number,
  step: number,
  options: EvaluateOptions = {},
): MatrixValue {
  const { plan } = expression;
  if (plan.type !== 'scalar' && plan.type !== 'vector') {
    const got = plan.type === 'matrix' ? 'range vector' : 'string';
    throw evaluationError(
      `invalid expression type "${got}" for range query, must be Scalar or instant Vector`,
    );
  }
  if (!(step > 0)) throw evaluationError(`step of a range query must be greater than 0, got ${step} ms`);
  const context = contextOf(queryable, from, to, options);
  const result = new Map<string, { labels: Labels; times: number[]; values: number[] }>();
  for (let t = from; t <= to; t += step) {
    const samples =
      plan.type === 'vector' ? plan.at(context, t) : [{ labels: NONE, value: plan.at(context, t) }];
    context.count(samples.length + 1);
    assertUnique(samples);
    for (const { labels, value } of samples) {
      const key = keyOf(labels);
      let series = result.get(key);
      if (series === undefined) {
        series = { labels, times: [], values: [] };
        result.set(key, series);
      }
      series.times.push(t);
      series.values.push(value);
    }
  }
  return { type: 'matrix', series: [...result.values()] };
}

const NONE: Labels = {};

function contextOf(queryable: Queryable, from: number, to: number, options: EvaluateOptions): Context {
  const { lookbackMs = LOOKBACK_MS, subqueryStepMs = SUBQUERY_STEP_MS, maxSamples = MAX_SAMPLES } = options;
  const { onTaken = () => {}, startMs = from, endMs = to } = options;
  const memo = startMs === endMs ? options.memo : undefined;
  let read = 0;
  const count = (samples: number): void => {
    read += samples;
    if (read > maxSamples) throw evaluationError(`query would read more than ${maxSamples} samples`);
    onTaken(samples);
  };
  return { queryable, lookbackMs, subqueryStepMs, startMs, endMs, memo, count, made: onTaken };
}

function toSeries({ labels, times, values, start, end }: Window): Series {
  return { labels, times: [...times.subarray(start, end)], values: [...values.subarray(start, end)] };
}
