import type { Labels } from '../model/labels.ts';
import type { Matcher, Queryable, SeriesView } from '../model/queryable.ts';
import { keyOf } from '../promql/label-ops.ts';
import { type Answer, success } from './answer.ts';
import { compileParameter } from './evaluation.ts';
import { labelsJson } from './json.ts';
import { invalid, type Parameters } from './parameters.ts';
import type { Turn } from './turn.ts';

/** `/api/v1/series` */
export async function series(parameters: Parameters, queryable: Queryable, turn: Turn): Promise<Answer> {
  if (parameters.all('match[]').length === 0) invalid('match[]', 'no match[] parameter provided');
  const found = new Map<string, Labels>();
  for (const labels of matching(parameters, queryable)) found.set(keyOf(labels), labels);
  const parts: string[] = [];
  for (const [, labels] of [...found].sort(([a], [b]) => (a < b ? -1 : 1))) {
    parts.push(labelsJson(labels));
    await turn.rest();
  }
  return list(parts, parameters.limit());
}

/** `/api/v1/labels` */
export function labelNames(parameters: Parameters, queryable: Queryable): Answer {
  const names = new Set<string>();
  for (const labels of matching(parameters, queryable))
    for (const name of Object.keys(labels)) names.add(name);
  return texts(names, parameters);
}

/** `/api/v1/label/<name>/values` */
export function labelValues(name: string, parameters: Parameters, queryable: Queryable): Answer {
  if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) invalid('name', `invalid label name: ${JSON.stringify(name)}`);
  const values = new Set<string>();
  for (const labels of matching(parameters, queryable))
    if (Object.hasOwn(labels, name)) values.add(labels[name]!);
  return texts(values, parameters);
}

/** Labels of the series that have a sample from `start` to `end` and match one of the selectors; all without a selector. */
function* matching(parameters: Parameters, queryable: Queryable): Generator<Labels> {
  const from = parameters.time('start', Number.NEGATIVE_INFINITY);
  const to = parameters.time('end', Number.POSITIVE_INFINITY);
  if (to < from) invalid('end', 'end timestamp must not be before start timestamp');
  const selectors = parameters.all('match[]').map(selectorOf);
  for (const matchers of selectors.length === 0 ? [[]] : selectors)
    for (const view of queryable.select(matchers, from - 1, to)) if (hasSample(view)) yield view.labels;
}

function selectorOf(text: string): readonly Matcher[] {
  const { node } = compileParameter('match[]', text);
  if (node.kind !== 'selector' || node.shift.offset !== 0 || node.shift.at !== undefined)
    return invalid('match[]', `expected type instant vector selector, got ${JSON.stringify(text)}`);
  return node.matchers;
}

function hasSample({ presence, start, end }: SeriesView): boolean {
  return presence === undefined || presence.subarray(start, end).includes(1);
}

function texts(found: ReadonlySet<string>, parameters: Parameters): Answer {
  return list(
    [...found].sort().map((text) => JSON.stringify(text)),
    parameters.limit(),
  );
}

function list(parts: readonly string[], limit: number): Answer {
  const isTruncated = limit > 0 && parts.length > limit;
  const some = isTruncated ? parts.slice(0, limit) : parts;
  return success([`[${some.join(',')}]`], isTruncated ? ['results truncated due to limit'] : []);
}
