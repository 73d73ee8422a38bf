import type { Clock } from '../model/clock.ts';
import type { Labels } from '../model/labels.ts';
import type { Queryable } from '../model/queryable.ts';
import type { MatrixValue, Value } from '../promql/promql.ts';
import { type Answer, ApiError, success } from './answer.ts';
import { atTime, compileParameter, type EvaluationOptions, overTime } from './evaluation.ts';
import { labelsJson, timestampJson, valueJson } from './json.ts';
import { invalid, type Parameters } from './parameters.ts';
import type { Turn } from './turn.ts';

/** Prometheus's bound on the steps of a range query. */
const MAX_STEPS = 11_000;
const TRUNCATED = 'results truncated due to limit';

export interface QueryPorts {
  readonly queryable: Queryable;
  readonly now: Clock;
}

/** `/api/v1/query` */
export async function instantQuery(parameters: Parameters, ports: QueryPorts, turn: Turn): Promise<Answer> {
  const limit = parameters.limit();
  const t = parameters.time('time', Math.round(ports.now()));
  const expression = compileParameter('query', parameters.get('query'));
  const value = atTime(expression, t, evaluationOf(parameters, ports, turn));
  return resultOf(value, t, limit, turn);
}

/** `/api/v1/query_range` */
export async function rangeQuery(parameters: Parameters, ports: QueryPorts, turn: Turn): Promise<Answer> {
  const limit = parameters.limit();
  const from = parameters.time('start');
  const to = parameters.time('end');
  if (to < from) invalid('end', 'end timestamp must not be before start time');
  const step = parameters.duration('step');
  if (step <= 0)
    invalid('step', 'zero or negative query resolution step widths are not accepted. Try a positive integer');
  if ((to - from) / step > MAX_STEPS)
    throw new ApiError(
      'bad_data',
      'exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)',
    );
  const expression = compileParameter('query', parameters.get('query'));
  if (expression.type !== 'scalar' && expression.type !== 'vector') {
    const got = expression.type === 'matrix' ? 'range vector' : 'string';
    invalid('query', `invalid expression type "${got}" for range query, must be Scalar or instant Vector`);
  }
  const value = await overTime(expression, { from, to, step }, evaluationOf(parameters, ports, turn));
  return resultOf(value, to, limit, turn);
}

function evaluationOf(parameters: Parameters, { queryable }: QueryPorts, turn: Turn): EvaluationOptions {
  const given = parameters.get('lookback_delta') !== '';
  return { queryable, turn, lookbackMs: given ? parameters.duration('lookback_delta') : undefined };
}

async function resultOf(value: Value, t: number, limit: number, turn: Turn): Promise<Answer> {
  const wrap = (result: readonly string[], warnings: readonly string[] = []): Answer =>
    success([`{"resultType":"${value.type}","result":`, ...result, '}'], warnings);
  if (value.type === 'scalar') return wrap([`[${timestampJson(t)},${valueJson(value.value)}]`]);
  if (value.type === 'string') return wrap([`[${timestampJson(t)},${JSON.stringify(value.value)}]`]);
  const all = value.type === 'vector' ? value.samples : value.series;
  const isTruncated = limit > 0 && all.length > limit;
  const some = isTruncated ? all.slice(0, limit) : all;
  const time = timestampJson(t);
  const parts: string[] = ['['];
  for (const [at, item] of some.entries()) {
    const rest = 'values' in item ? valuesJson(item) : `"value":[${time},${valueJson(item.value)}]`;
    parts.push(`${at === 0 ? '' : ','}{"metric":${metricJson(item.labels)},${rest}}`);
    await turn.rest();
  }
  parts.push(']');
  return wrap(parts, isTruncated ? [TRUNCATED] : []);
}

function valuesJson({ times, values }: MatrixValue['series'][number]): string {
  const pairs = times.map((time, at) => `[${timestampJson(time)},${valueJson(values[at]!)}]`);
  return `"values":[${pairs.join(',')}]`;
}

/** Series keep their labels for life, so what they read as is kept too. */
const texts = new WeakMap<Labels, string>();

function metricJson(labels: Labels): string {
  let json = texts.get(labels);
  if (json === undefined) {
    json = labelsJson(labels);
    texts.set(labels, json);
  }
  return json;
}
