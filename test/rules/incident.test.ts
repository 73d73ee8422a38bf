import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import type { Labels } from '../../src/model/labels.ts';
import type { Sample } from '../../src/model/queryable.ts';
import { evaluateInstant } from '../../src/promql/evaluate.ts';
import { compile, type Expression } from '../../src/promql/promql.ts';
import { loadRuleFiles } from '../../src/rules/load.ts';
import { createRuleManager } from '../../src/rules/manager.ts';
import { SeriesStore } from '../../src/store/series-store.ts';
import { promtool3Built } from '../helpers/go-programs.ts';
import { promtoolAt, promtoolMissing } from './promtool.ts';

const FOLDER = resolve(import.meta.dirname, '../fixtures/incident');
const INTERVAL_S = 5;

interface Recording {
  readonly seconds: number;
  /** One value a second; null where there was no sample. */
  readonly series: readonly { readonly labels: Labels; readonly values: readonly (number | null)[] }[];
}

const { seconds, series } = JSON.parse(readFileSync(join(FOLDER, 'recording.json'), 'utf8')) as Recording;
const { groups } = loadRuleFiles(['rules.yaml'], compile, FOLDER);
const names = groups.flatMap(({ rules }) =>
  rules.filter(({ kind }) => kind === 'alert').map(({ name }) => name),
);

/** Evaluations at which an alert fires, by name and labels. */
type Firing = Map<string, number[]>;

function note(firing: Firing, labels: Labels, time: number): void {
  const key = JSON.stringify(Object.entries(labels).sort());
  firing.set(key, [...(firing.get(key) ?? []), time]);
}

function inTheAgent(): Firing {
  const store = new SeriesStore({ maxSeries: 1000, maxTicks: 1000 });
  const rules = createRuleManager({
    groups,
    compile,
    query(expression, t) {
      const value = evaluateInstant(expression as Expression, store, t);
      return value.type === 'vector' ? value.samples : [];
    },
    append: (t, samples) => store.append(t, samples),
    stale: (_, labels) => store.markStale(store.series(labels)),
    notify: () => {},
    runsFor: () => [],
    onError: (error) => {
      throw error;
    },
  });
  const firing: Firing = new Map();
  for (let second = 0; second < seconds; second++) {
    const samples: Sample[] = series.flatMap(({ labels, values }) => {
      const value = values[second];
      return typeof value === 'number' ? [{ labels, value }] : [];
    });
    store.append(second * 1000, samples);
    if (second % INTERVAL_S > 0) continue;
    rules.evaluate(second * 1000);
    for (const { state, labels } of rules.alerts()) if (state === 'firing') note(firing, labels, second);
  }
  return firing;
}

/** What promtool says that fires where nothing is expected to. */
function inPrometheus(program: string): Firing {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-incident-'));
  const test = {
    rule_files: [join(folder, 'rules.yaml')],
    evaluation_interval: `${INTERVAL_S}s`,
    tests: [
      {
        interval: '1s',
        input_series: series.map(({ labels, values }) => ({
          series: `{${Object.entries(labels)
            .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
            .join(',')}}`,
          values: values.map((value) => value ?? '_').join(' '),
        })),
        alert_rule_test: names.flatMap((alertname) =>
          Array.from({ length: Math.ceil(seconds / INTERVAL_S) }, (_, n) => ({
            eval_time: `${n * INTERVAL_S}s`,
            alertname,
            exp_alerts: [],
          })),
        ),
      },
    ],
  };
  // Prometheus 2.42 knows no labels of a group.
  const rules = readFileSync(join(FOLDER, 'rules.yaml'), 'utf8').replace(/^ {4}labels: .*\n/m, '');
  writeFileSync(join(folder, 'rules.yaml'), rules);
  writeFileSync(join(folder, 'test.yaml'), JSON.stringify(test));
  const { output } = promtoolAt(program, 'test', 'rules', join(folder, 'test.yaml'));
  rmSync(folder, { recursive: true });
  const firing: Firing = new Map();
  for (const [, minutes = '0', rest = '0', got] of output.matchAll(
    /time: (?:(\d+)m)?(?:(\d+)s)?,[\s\S]*?got:\[([\s\S]*?)\n {12}\]/g,
  ))
    for (const [, labels = ''] of got!.matchAll(/Labels:\{(.*)\}/g)) {
      const pairs = [...labels.matchAll(/(\w+)=("(?:[^"\\]|\\.)*")/g)];
      const read = Object.fromEntries(pairs.map(([, name, text]) => [name, JSON.parse(text!) as string]));
      note(firing, { ...read, team: 'imports' }, 60 * Number(minutes) + Number(rest));
    }
  assert.ok(firing.size > 0, output.slice(0, 500));
  return firing;
}

/** First and last time of each stretch of firing. */
function stretches(times: readonly number[]): [number, number][] {
  const found: [number, number][] = [];
  for (const time of times) {
    const last = found.at(-1);
    if (last !== undefined && time - last[1] === INTERVAL_S) last[1] = time;
    else found.push([time, time]);
  }
  return found;
}

const ours = inTheAgent();

test('the incident makes every alert but one fire, and end', () => {
  const fired = new Set(
    [...ours.keys()].map((key) => new Map(JSON.parse(key) as [string, string][]).get('alertname')),
  );
  assert.deepEqual([...fired].sort(), names.filter((name) => name !== 'Never').sort());
});

test('the same alerts fire in Prometheus 2.42, within one interval', { skip: promtoolMissing() }, () => {
  const theirs = inPrometheus('promtool');
  assert.deepEqual([...ours.keys()].sort(), [...theirs.keys()].sort());
  for (const [key, times] of ours) {
    const [own, other] = [stretches(times), stretches(theirs.get(key)!)];
    assert.equal(own.length, other.length, `${key}: ${own.join(' ')} and ${other.join(' ')}`);
    for (const [n, [from, to]] of own.entries()) {
      const [otherFrom, otherTo] = other[n]!;
      assert.ok(Math.abs(from - otherFrom) <= INTERVAL_S, `${key} from ${from} and ${otherFrom}`);
      assert.ok(Math.abs(to - otherTo) <= INTERVAL_S, `${key} to ${to} and ${otherTo}`);
    }
  }
});

const built = promtool3Built();
test('and at the very same evaluations in Prometheus 3.16', {
  skip: built === undefined && 'promtool of Prometheus 3 has not been built: npm run test:slow builds it',
}, () => {
  assert.deepEqual([...inPrometheus(built!)].sort(), [...ours].sort());
});
