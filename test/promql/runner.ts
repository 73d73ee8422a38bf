import { parseDuration } from '../../src/model/duration.ts';
import { type Labels, labelsKey } from '../../src/model/labels.ts';
import type { Queryable } from '../../src/model/queryable.ts';
import { compile, evaluateInstant, evaluateRange, type Value } from '../../src/promql/promql.ts';
import { SeriesStore } from '../../src/store/series-store.ts';
import { type Point, parseSeries, type SeriesPoints, Unsupported } from './points.ts';

/**
 * Runs scripts in the format of Prometheus's promqltest: `load`, `clear`, `eval instant at`, `eval range from to step`
 * and the expectation lines below them. Warnings and infos of Prometheus are not compared: this engine has none.
 */
export interface Outcome {
  passed: number;
  /** What the scripts ask for beyond floats, by line. */
  unsupported: string[];
  failures: string[];
}

interface Case {
  line: number;
  expr: string;
  from: number;
  to: number;
  /** undefined = instant */
  step: number | undefined;
  ordered: boolean;
  fail: boolean;
  message: string | undefined;
  text: string | undefined;
  scalar: number | undefined;
  expected: SeriesPoints[];
  unsupported: string | undefined;
}

interface Loaded {
  labels: Labels;
  points: Map<number, Point>;
}

export function runScript(script: string, tolerance = 1e-9): Outcome {
  const outcome: Outcome = { passed: 0, unsupported: [], failures: [] };
  let loaded = new Map<string, Loaded>();
  let store: SeriesStore | undefined;
  /** What could not be loaded; cases that then fail may fail for that. */
  let missing: string | undefined;
  for (const block of blocks(script)) {
    const [head = '', ...body] = block.lines;
    if (head.startsWith('clear')) {
      loaded = new Map();
      store = missing = undefined;
    } else if (head.startsWith('load')) {
      store = undefined;
      missing = load(loaded, head, body) ?? missing;
    } else {
      const test = readCase(head, body, block.at);
      store ??= build(loaded);
      const failure = test.unsupported === undefined ? runCase(test, store, tolerance) : undefined;
      const reason = test.unsupported ?? (failure === undefined ? undefined : missing);
      if (reason !== undefined) outcome.unsupported.push(`line ${test.line}: ${reason}: ${test.expr}`);
      else if (failure === undefined) outcome.passed++;
      else outcome.failures.push(`line ${test.line}: ${test.expr}\n    ${failure}`);
    }
  }
  return outcome;
}

/** The `eval` commands of a script. */
export function casesOf(script: string): Case[] {
  const evals = blocks(script).filter(({ lines }) => lines[0]?.startsWith('eval'));
  return evals.map(({ at, lines: [head = '', ...body] }) => readCase(head, body, at));
}

function blocks(script: string): { at: number; lines: string[] }[] {
  const result: { at: number; lines: string[] }[] = [];
  script.split('\n').forEach((raw, index) => {
    const line = raw.replace(/^\s*#.*$/, '');
    if (line.trim() === '') return;
    if (/^\s/.test(line) && result.length > 0) result.at(-1)!.lines.push(line.trim());
    else result.push({ at: index + 1, lines: [line.trim()] });
  });
  return result;
}

/** Gives what it had to leave out. */
function load(loaded: Map<string, Loaded>, head: string, body: readonly string[]): string | undefined {
  const [command = '', step = ''] = head.split(/\s+/);
  let missing = command === 'load' ? undefined : command;
  const ms = duration(step);
  for (const line of body) {
    const series = readSeries(line);
    if (typeof series === 'string') missing = series;
    else add(loaded, series, ms);
  }
  return missing;
}

/** The reason as text where the line holds what this engine has no notion of. */
function readSeries(line: string): SeriesPoints | string {
  try {
    return parseSeries(line);
  } catch (error) {
    if (error instanceof Unsupported) return error.message;
    throw error;
  }
}

function add(loaded: Map<string, Loaded>, { labels, points }: SeriesPoints, ms: number): void {
  const key = labelsKey(labels);
  const series = loaded.get(key) ?? { labels, points: new Map<number, Point>() };
  loaded.set(key, series);
  points.forEach((point, at) => {
    if (point !== undefined) series.points.set(at * ms, point);
  });
}

function build(loaded: ReadonlyMap<string, Loaded>): SeriesStore {
  const times = new Set([...loaded.values()].flatMap(({ points }) => [...points.keys()]));
  const store = new SeriesStore({ maxSeries: 10_000, maxTicks: Math.max(1, times.size) });
  for (const t of [...times].sort((a, b) => a - b)) {
    store.tick(t);
    for (const { labels, points } of loaded.values()) {
      const point = points.get(t);
      if (point === undefined) continue;
      if (point === 'stale') store.markStale(store.series(labels));
      else store.set(store.series(labels), point);
    }
  }
  return store;
}

function readCase(head: string, body: readonly string[], line: number): Case {
  const instant = /^eval(\w*) instant (?:at (\S+) )?\s*(.*)$/s.exec(head);
  const range = /^eval(\w*) range from (\S+) to (\S+) step (\S+)\s+(.*)$/s.exec(head);
  const [, mode = '', from = '0', to = from, step, expr] =
    range ?? instant?.toSpliced(3, 0, instant[2]!, undefined!) ?? [];
  if (expr === undefined) throw new Error(`line ${line}: cannot read ${head}`);
  const test: Case = {
    line,
    expr,
    from: duration(from),
    to: duration(to),
    step: step === undefined ? undefined : duration(step),
    ordered: mode === '_ordered',
    fail: mode === '_fail',
    message: undefined,
    text: undefined,
    scalar: undefined,
    expected: [],
    unsupported: undefined,
  };
  for (const expectation of body) readExpectation(test, expectation);
  return test;
}

function readExpectation(test: Case, line: string): void {
  const word = /^expect(?:ed_fail_message)?\s+(\S+)\s*(.*)$/.exec(line);
  if (line.startsWith('expected_fail_message'))
    test.message = line.slice('expected_fail_message'.length).trim();
  else if (word !== null) {
    const [, what, rest = ''] = word;
    if (what === 'fail') test.fail = true;
    if (what === 'fail' && rest.startsWith('msg:')) test.message = rest.slice('msg:'.length).trim();
    if (what === 'ordered') test.ordered = true;
    if (what === 'string')
      test.text = JSON.parse(rest.startsWith('`') ? JSON.stringify(rest.slice(1, -1)) : rest);
    if (what === 'range') test.unsupported = 'expect range vector';
  } else if (/^[-+.\d]|^(?:NaN|Inf)\b/i.test(line) && !/[\s{]/.test(line))
    test.scalar = parseSeries(`x ${line}`).points[0] as number;
  else {
    const series = readSeries(line);
    if (typeof series === 'string') test.unsupported = series;
    else test.expected.push(series);
  }
}

function runCase(test: Case, store: Queryable, tolerance: number): string | undefined {
  try {
    const expression = compile(test.expr);
    const mismatch =
      test.step === undefined
        ? compareInstant(test, evaluateInstant(expression, store, test.from), tolerance)
        : compareRange(test, evaluateRange(expression, store, test.from, test.to, test.step), tolerance);
    if (test.fail) return `expected to fail, got ${mismatch ?? 'a value'}`;
    if (mismatch !== undefined || test.step !== undefined) return mismatch;
    return compareSteps(test, store);
  } catch (error) {
    const { message } = error as Error;
    if (!test.fail) return `failed: ${message}`;
    return test.message === undefined || message.includes(test.message)
      ? undefined
      : `failed with: ${message}`;
  }
}

/** An instant query must give what a range query gives at that step. */
function compareSteps(test: Case, store: Queryable): string | undefined {
  const expression = compile(test.expr);
  const moves = /\b(?:start|end)\(\)/.test(test.expr);
  if (moves || (expression.type !== 'vector' && expression.type !== 'scalar')) return undefined;
  const minute = 60_000;
  const instant = evaluateInstant(expression, store, test.from);
  const samples =
    instant.type === 'vector'
      ? instant.samples
      : instant.type === 'scalar'
        ? [{ labels: {}, value: instant.value }]
        : [];
  let range: ReturnType<typeof evaluateRange>;
  try {
    range = evaluateRange(expression, store, test.from - minute, test.from + minute, minute);
  } catch (error) {
    // The neighbouring steps may have conflicts of their own.
    return test.fail ? undefined : `range query failed: ${(error as Error).message}`;
  }
  const at = range.series.flatMap(({ labels, times, values }) => {
    const index = times.indexOf(test.from);
    return index < 0 ? [] : [`${labelsKey(labels)} ${values[index]}`];
  });
  const expected = samples.map(({ labels, value }) => `${labelsKey(labels)} ${value}`);
  return at.sort().join('\n') === expected.sort().join('\n')
    ? undefined
    : `as a range query: ${at.join('; ')}`;
}

function compareInstant(test: Case, value: Value, tolerance: number): string | undefined {
  if (value.type === 'string')
    return value.value === test.text ? undefined : `got ${JSON.stringify(value.value)}`;
  if (value.type === 'scalar')
    return same(value.value, test.scalar ?? Number.NaN, tolerance) ? undefined : `got ${value.value}`;
  if (value.type === 'matrix') return 'got a range vector';
  const got = value.samples.map(({ labels, value }) => ({ labels, points: [value] }));
  return compareSeries(got, test.expected, test.ordered, tolerance);
}

function compareRange(
  test: Case,
  { series }: ReturnType<typeof evaluateRange>,
  tolerance: number,
): string | undefined {
  const step = test.step ?? 1;
  const got = series.map(({ labels, times, values }) => {
    const points: Point[] = Array.from(
      { length: Math.floor((test.to - test.from) / step) + 1 },
      () => undefined,
    );
    times.forEach((t, at) => {
      points[(t - test.from) / step] = values[at];
    });
    return { labels, points };
  });
  const expected = test.expected.map(({ labels, points }) => ({ labels, points: trimmed(points) }));
  return compareSeries(
    got.map(({ labels, points }) => ({ labels, points: trimmed(points) })),
    expected,
    false,
    tolerance,
  );
}

function trimmed(points: readonly Point[]): Point[] {
  const last = points.findLastIndex((point) => point !== undefined);
  return points.slice(0, last + 1);
}

function compareSeries(
  got: readonly SeriesPoints[],
  expected: readonly SeriesPoints[],
  ordered: boolean,
  tolerance: number,
): string | undefined {
  const key = ({ labels }: SeriesPoints): string =>
    labelsKey(Object.fromEntries(Object.entries(labels).filter(([, value]) => value !== '')));
  const sort = (list: readonly SeriesPoints[]): SeriesPoints[] =>
    ordered ? [...list] : list.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
  const [mine, theirs] = [sort(got), sort(expected)];
  const equal =
    mine.length === theirs.length &&
    mine.every(
      (series, at) =>
        key(series) === key(theirs[at]!) && samePoints(series.points, theirs[at]!.points, tolerance),
    );
  return equal ? undefined : `got ${show(mine)}\n    instead of ${show(theirs)}`;
}

function samePoints(a: readonly Point[], b: readonly Point[], tolerance: number): boolean {
  return (
    a.length === b.length &&
    a.every((point, at) => {
      const other = b[at];
      return typeof point === 'number' && typeof other === 'number'
        ? same(point, other, tolerance)
        : point === other;
    })
  );
}

function same(a: number, b: number, tolerance: number): boolean {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
  if (a === b) return true;
  return Math.abs(a - b) <= tolerance * (Math.abs(a) + Math.abs(b));
}

function show(list: readonly SeriesPoints[]): string {
  return `[${list.map(({ labels, points }) => `${JSON.stringify(labels)} ${points.map((point) => point ?? '_').join(' ')}`).join('; ')}]`;
}

/** A duration or a number of seconds, in ms. */
function duration(text: string): number {
  const sign = text.startsWith('-') ? -1 : 1;
  const plain = text.replace(/^[-+]/, '');
  const ms = /^[\d.]+$/.test(plain) ? Number(plain) * 1000 : parseDuration(plain);
  if (ms === undefined) throw new Unsupported(`duration ${text}`);
  return sign * ms;
}
