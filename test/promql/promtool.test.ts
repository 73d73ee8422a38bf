import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Labels, labelsKey } from '../../src/model/labels.ts';
import { compile, evaluateInstant } from '../../src/promql/promql.ts';
import { SeriesStore } from '../../src/store/series-store.ts';
import { EVAL_TIMES_S, Fuzzer, INTERVAL_S, SERIES } from './fuzz.ts';
import { parseSeries } from './points.ts';

/**
 * The same queries over the same series in this engine and in `promtool test rules`, which answers a query that is said to
 * give nothing with what it does give. Versions before 3 differ in windows that begin on a sample, so no window here does.
 */
const EXPRESSIONS = 400;
const TOLERANCE = 1e-9;

type Answer = Map<string, number> | 'error';

const version = spawnSync('promtool', ['--version'], { encoding: 'utf8' });
const skip =
  version.error === undefined ? false : 'promtool is not on PATH, so there is nothing to compare with';

test(`${EXPRESSIONS} random queries give what promtool gives`, { skip }, () => {
  const fuzzer = new Fuzzer(20261124);
  const queries = Array.from({ length: EXPRESSIONS }, (_, at) => ({
    expr: fuzzer.expression(),
    seconds: EVAL_TIMES_S[at % EVAL_TIMES_S.length]!,
  }));
  const theirs = askPromtool(queries);
  const store = loadStore();
  const differences: string[] = [];
  let filled = 0;
  for (const { expr, seconds } of queries) {
    const mine = answer(store, expr, seconds * 1000);
    const other = theirs.get(`${seconds} ${expr}`) ?? new Map<string, number>();
    if (mine !== 'error' && mine.size > 0) filled++;
    if (!same(mine, other))
      differences.push(`${expr} at ${seconds}s:\n  here  ${show(mine)}\n  there ${show(other)}`);
  }
  assert.deepEqual(differences, []);
  assert.ok(filled > EXPRESSIONS / 3, `only ${filled} queries had an answer`);
});

function loadStore(): SeriesStore {
  const all = SERIES.map(([series, values]) => parseSeries(`${series} ${values}`));
  const ticks = Math.max(...all.map(({ points }) => points.length));
  const store = new SeriesStore({ maxSeries: 100, maxTicks: ticks });
  for (let tick = 0; tick < ticks; tick++) {
    store.tick(tick * INTERVAL_S * 1000);
    for (const { labels, points } of all) {
      const point = points[tick];
      if (point === 'stale') store.markStale(store.series(labels));
      else if (point !== undefined) store.set(store.series(labels), point);
    }
  }
  return store;
}

function answer(store: SeriesStore, expr: string, t: number): Answer {
  try {
    const value = evaluateInstant(compile(expr), store, t, { subqueryStepMs: INTERVAL_S * 1000 });
    if (value.type === 'scalar') return new Map([['', value.value]]);
    assert.equal(value.type, 'vector');
    return value.type === 'vector'
      ? new Map(value.samples.map(({ labels, value }) => [labelsKey(labels), value]))
      : new Map();
  } catch {
    return 'error';
  }
}

function askPromtool(queries: readonly { expr: string; seconds: number }[]): Map<string, Answer> {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-promtool-'));
  try {
    const file = join(folder, 'test.yml');
    const tests = {
      interval: `${INTERVAL_S}s`,
      input_series: SERIES.map(([series, values]) => ({ series, values })),
      promql_expr_test: queries.map(({ expr, seconds }) => ({ expr, eval_time: `${seconds}s` })),
    };
    // JSON is YAML.
    writeFileSync(
      file,
      JSON.stringify({ rule_files: [], evaluation_interval: `${INTERVAL_S}s`, tests: [tests] }),
    );
    const { stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], {
      encoding: 'utf8',
      maxBuffer: 1 << 26,
    });
    return readAnswers(stdout + stderr);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readAnswers(output: string): Map<string, Answer> {
  const answers = new Map<string, Answer>();
  const entries = output.matchAll(
    /expr: ("(?:[^"\\]|\\.)*"), time: (\w+),(?: err: | *\n\s*exp: nil\n\s*got: (.*))/g,
  );
  for (const [, quoted = '', time = '', got] of entries) {
    const key = `${seconds(time)} ${JSON.parse(quoted)}`;
    answers.set(key, got === undefined ? 'error' : readVector(got));
  }
  assert.ok(answers.size > 0, `promtool answered nothing:\n${output.slice(0, 2000)}`);
  return answers;
}

function seconds(time: string): number {
  const [, hours = 0, minutes = 0, rest = 0] =
    /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(time) ?? assert.fail(time);
  return Number(hours) * 3600 + Number(minutes) * 60 + Number(rest);
}

function readVector(text: string): Map<string, number> {
  const samples = text.matchAll(/([\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? (\S+?)(?:, |$)/g);
  return new Map(
    [...samples].map(([, name = '', inside = '', value = '']) => {
      const labels: Record<string, string> = name === '' ? {} : { __name__: name };
      for (const [, label, quoted] of inside.matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g))
        labels[label!] = JSON.parse(quoted!);
      return [labelsKey(labels as Labels), number(value)];
    }),
  );
}

function number(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}

function same(a: Answer, b: Answer): boolean {
  if (a === 'error' || b === 'error') return a === b;
  return a.size === b.size && [...a].every(([key, value]) => close(value, b.get(key)));
}

function close(a: number, b: number | undefined): boolean {
  if (b === undefined) return false;
  return Object.is(a, b) || a === b || Math.abs(a - b) <= TOLERANCE * Math.max(Math.abs(a), Math.abs(b));
}

function show(answer: Answer): string {
  return answer === 'error' ? answer : JSON.stringify([...answer].map(([key, value]) => `${key} ${value}`));
}
