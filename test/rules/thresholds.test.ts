import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { evaluateInstant } from '../../src/promql/evaluate.ts';
import { compile, type Expression } from '../../src/promql/promql.ts';
import { loadRuleFiles } from '../../src/rules/load.ts';
import { createRuleManager } from '../../src/rules/manager.ts';
import type { RuleGroup } from '../../src/rules/rule.ts';
import { withoutThresholds } from '../../src/rules/without-thresholds.ts';
import { SeriesStore } from '../../src/store/series-store.ts';

const T = 1_700_000_000_000;
const SHIPPED = resolve(import.meta.dirname, '../../rules/*.yaml');
const cwd = mkdtempSync(join(tmpdir(), 'taskwarden-thresholds-'));
after(() => rmSync(cwd, { recursive: true }));

function write(name: string, ...rules: string[]): string {
  writeFileSync(
    join(cwd, name),
    `groups:\n  - name: ${name}\n    rules:\n${rules.map((rule) => `      - ${rule}\n`).join('')}`,
  );
  return name;
}

const record = (name: string, value: number) =>
  `{record: 'taskwarden:threshold:${name}', expr: vector(${value})}`;

function world(groups: readonly RuleGroup[]) {
  const store = new SeriesStore({ maxSeries: 1000, maxTicks: 100 });
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
  /** Names of the alerts that are there at second `s`, with a block of so many seconds. */
  const at = (s: number, blocked: number): string[] => {
    const labels = { __name__: 'task_event_loop_blocked_seconds', job: 'w', task_suspicion: 'exclusive' };
    store.append(T + s * 1000, [{ labels, value: blocked }]);
    rules.evaluate(T + s * 1000);
    return rules.alerts().map(({ name }) => name);
  };
  return { rules, at };
}

test('a recording of yours takes the place of the shipped one, and the others stay', () => {
  const mine = write(
    'mine.yaml',
    record('event_loop_block_seconds', 5),
    record('event_loop_stuck_seconds', 50),
  );
  const last = write('thresholds.yaml', record('event_loop_block_seconds', 7));
  const { groups, idle } = loadRuleFiles([SHIPPED, mine, last], compile, cwd);
  const recorded = (name: string) =>
    groups.flatMap(({ rules }) => rules).filter((rule) => rule.name === `taskwarden:threshold:${name}`);
  assert.deepEqual(
    recorded('event_loop_block_seconds').map(({ expr }) => expr),
    ['vector(7)'],
  );
  assert.deepEqual(
    recorded('event_loop_stuck_seconds').map(({ expr }) => expr),
    ['vector(50)'],
  );
  assert.equal(recorded('task_cpu_share').length, 1);
  assert.deepEqual(idle, []);
});

test('thresholds are there at the very first evaluation, and all other groups keep their order', () => {
  const { groups } = loadRuleFiles([SHIPPED], compile, cwd);
  assert.equal(groups[0]!.name, 'taskwarden-thresholds');
  const others = groups.slice(1).map(({ name }) => name);
  assert.deepEqual(others, others.toSorted());
  assert.deepEqual(world(groups).at(0, 2), ['TaskBlocksEventLoop']);
});

test('one that is raised, and lowered again by a reload, is the one in force', () => {
  write('mine.yaml', record('event_loop_block_seconds', 5));
  const load = () => loadRuleFiles([SHIPPED, 'mine.yaml'], compile, cwd).groups;
  const { rules, at } = world(load());
  assert.deepEqual(at(0, 4), []);
  assert.deepEqual(at(5, 6), ['TaskBlocksEventLoop']);
  write('mine.yaml', record('event_loop_block_seconds', 50));
  rules.reload(load());
  for (const s of [10, 15, 20, 25]) at(s, 6);
  assert.deepEqual(at(30, 6), [], 'within the interval of the thresholds');
  write('mine.yaml', `{record: 'mine', expr: vector(1)}`);
  rules.reload(load());
  for (const s of [35, 40, 45]) at(s, 6);
  assert.deepEqual(at(50, 2), ['TaskBlocksEventLoop'], 'the shipped one is back');
});

test('one that no rule asks for is told', () => {
  const mine = write('mine.yaml', record('task_cpu_shar', 0.5), record('task_cpu_share', 0.5));
  const { idle } = loadRuleFiles([SHIPPED, mine], compile, cwd);
  assert.deepEqual(idle, ['taskwarden:threshold:task_cpu_shar']);
});

test('the text of a file without some of its thresholds', () => {
  const text = `# Head.
groups:
  - name: g
    rules:
      # One.
      - record: taskwarden:threshold:one
        expr: vector(1)

      # Two.
      - record: taskwarden:threshold:two
        expr: vector(2)
  - name: h
`;
  const name = (last: string) => new Set([`taskwarden:threshold:${last}`]);
  assert.equal(withoutThresholds(text, name('three')), text);
  assert.equal(
    withoutThresholds(text, name('one')),
    `# Head.
groups:
  - name: g
    rules:
      # Two.
      - record: taskwarden:threshold:two
        expr: vector(2)
  - name: h
`,
  );
});
