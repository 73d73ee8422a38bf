import type { Sample, SeriesView } from '../model/queryable.ts';
import type { MatrixNode, SelectorNode, SubqueryNode, TimeShift } from './ast.ts';
import type { Dialect } from './dialect.ts';
import { evaluationError } from './errors.ts';
import { keyOf } from './label-ops.ts';
import type { Context, MatrixPlan, RangeVector, VectorPlan, Window } from './plan.ts';

/** The time that a selector means when evaluated at `t`, ms. */
function shifted(shift: TimeShift, context: Context, t: number): number {
  const { at, offset } = shift;
  const base = at === undefined ? t : at === 'start' ? context.startMs : at === 'end' ? context.endMs : at;
  return base - offset;
}

/** Index of the latest sample of a window; -1 where there is none or the series has gone stale. */
function latest({ presence, start, end }: SeriesView): number {
  let at = end - 1;
  if (presence === undefined) return at;
  while (at >= start && presence[at] === 0) at--;
  return at >= start && presence[at] === 1 ? at : -1;
}

export function planSelector(node: SelectorNode, dialect: Dialect): VectorPlan {
  return instant(node, dialect, (view, at) => view.values[at]!);
}

/** `timestamp(selector)`: the time of the sample itself, in seconds. */
export function planTimestamps(node: SelectorNode, dialect: Dialect): VectorPlan {
  return instant(node, dialect, (view, at) => view.times[at]! / 1000);
}

function instant(
  node: SelectorNode,
  { closedMs }: Dialect,
  read: (view: SeriesView, at: number) => number,
): VectorPlan {
  return (context, t) => {
    const to = shifted(node.shift, context, t);
    const views = context.queryable.select(node.matchers, to - context.lookbackMs - closedMs, to);
    context.count(views.length);
    const samples: Sample[] = [];
    for (const view of views) {
      const at = latest(view);
      if (at >= 0) samples.push({ labels: view.labels, value: read(view, at) });
    }
    return samples;
  };
}

export function planMatrix(node: MatrixNode, { closedMs }: Dialect): MatrixPlan {
  const { matchers, shift } = node.selector;
  return (context, t) => {
    const to = shifted(shift, context, t);
    const from = to - node.range;
    const windows: Window[] = [];
    for (const view of context.queryable.select(matchers, from - closedMs, to)) {
      const window = view.presence === undefined ? view : dense(view, view.presence);
      context.count(window.end - window.start);
      if (window.end > window.start) windows.push(window);
    }
    return { from, to, windows };
  };
}

/** The samples of a window with gaps, copied together. */
function dense({ labels, times, values, start, end }: SeriesView, presence: Uint8Array): Window {
  let count = 0;
  for (let at = start; at < end; at++) if (presence[at] === 1) count++;
  if (count === end - start) return { labels, times, values, start, end };
  const window = {
    labels,
    times: new Float64Array(count),
    values: new Float64Array(count),
    start: 0,
    end: count,
  };
  let to = 0;
  for (let at = start; at < end; at++) {
    if (presence[at] !== 1) continue;
    window.times[to] = times[at]!;
    window.values[to++] = values[at]!;
  }
  return window;
}

/** Evaluates `inner` at the multiples of the step within the range, as Prometheus aligns them. */
export function planSubquery(node: SubqueryNode, inner: VectorPlan, { closedMs }: Dialect): MatrixPlan {
  return (context, t) => {
    const to = shifted(node.shift, context, t);
    const from = to - node.range;
    const step = node.step ?? context.subqueryStepMs;
    let at = Math.floor(from / step) * step;
    if (at <= from - closedMs) at += step;
    const result: Builder = new Map();
    for (; at <= to; at += step) {
      const samples = inner(context, at);
      // A step counts even without a sample: steps take time too.
      context.count(samples.length + 1);
      for (const sample of samples) add(result, sample, at);
    }
    return { from, to, windows: [...result.values()].map(toWindow) } satisfies RangeVector;
  };
}

type Builder = Map<string, { sample: Sample; times: number[]; values: number[] }>;

function add(builder: Builder, sample: Sample, at: number): void {
  const key = keyOf(sample.labels);
  let series = builder.get(key);
  if (series === undefined) {
    series = { sample, times: [], values: [] };
    builder.set(key, series);
  }
  if (series.times.at(-1) === at) {
    throw evaluationError('vector cannot contain metrics with the same labelset');
  }
  series.times.push(at);
  series.values.push(sample.value);
}

function toWindow({ sample, times, values }: { sample: Sample; times: number[]; values: number[] }): Window {
  const columns = { times: Float64Array.from(times), values: Float64Array.from(values) };
  return { labels: sample.labels, ...columns, start: 0, end: times.length };
}
