import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { AlertTransition } from '../../src/model/alert.ts';
import type { Labels } from '../../src/model/labels.ts';
import type { Sample } from '../../src/model/queryable.ts';
import { compile } from '../../src/promql/promql.ts';
import { parseRuleFile } from '../../src/rules/load.ts';
import { createRuleManager, type RuleManager, type RuleManagerOptions } from '../../src/rules/manager.ts';
import type { RuleGroup } from '../../src/rules/rule.ts';
import { queryOf } from './query-table.ts';

const T = 1_700_000_000_000;
const at = (seconds: number) => T + seconds * 1000;
const sample = (labels: Labels = {}, value = 1): Sample => ({ labels, value });

let results: Record<string, Sample[] | Error>;
let seen: AlertTransition[];
let ended: string[];
/** What the steady clock says, ms. */
let clock: number;

beforeEach(() => {
  results = { x: [sample()] };
  seen = [];
  ended = [];
  clock = 0;
});

function groups(text: string, file = 'r.yaml'): readonly RuleGroup[] {
  const { groups: read, errors } = parseRuleFile(text, file, compile);
  assert.deepEqual(errors, []);
  return read;
}

function manager(text: string, options: Partial<RuleManagerOptions> = {}): RuleManager {
  return createRuleManager({
    groups: groups(text),
    compile,
    query: queryOf(results),
    append: () => {},
    stale: (_, labels) => ended.push(`${labels.__name__} ${labels.alertname ?? ''}`.trim()),
    notify: (transition) => seen.push(transition),
    runsFor: () => [],
    onError: (error) => {
      throw error;
    },
    elapsed: () => clock,
    outageMs: 60_000,
    ...options,
  });
}

const group = (name: string, ...rules: string[]) =>
  `- name: ${name}\n  rules:\n${rules.map((rule) => `  - {${rule}}\n`).join('')}`;
const file = (...texts: string[]) => `groups:\n${texts.join('')}`;
const told = () =>
  seen.splice(0).map(({ name, previousState, state }) => `${name}: ${previousState} > ${state}`);

describe('time that nobody saw', () => {
  const RULES = file(group('g', 'alert: A, expr: x, for: 1m'));
  /** Ticks at wall times in seconds, at the steady clock's times in seconds. */
  const tick = (rules: RuleManager, wall: number, steady: number) => {
    clock = steady * 1000;
    return rules.evaluate(at(wall));
  };

  test('a sleep of the machine is no time in which an alert waited', () => {
    const rules = manager(RULES);
    tick(rules, 0, 0);
    tick(rules, 30, 30);
    // Eight hours asleep: the steady clock stood still.
    assert.deepEqual(tick(rules, 28_835, 35), { succeeded: 1, failed: 0, missed: 0, deferred: 0 });
    assert.deepEqual(told(), ['A: inactive > pending']);
    tick(rules, 28_855, 55);
    assert.deepEqual(told(), []);
    tick(rules, 28_860, 60);
    assert.deepEqual(told(), ['A: pending > firing']);
  });

  test('a clock set back takes nothing from an alert, and its times are never ahead', () => {
    const rules = manager(RULES);
    tick(rules, 0, 0);
    tick(rules, 30, 30);
    tick(rules, -3600, 35);
    assert.equal(rules.alerts()[0]?.activeAt, at(-3635));
    tick(rules, -3575, 60);
    assert.deepEqual(told(), ['A: inactive > pending', 'A: pending > firing']);
    const firedAt = rules.alerts()[0]?.firedAt;
    tick(rules, -7200, 65);
    assert.equal(rules.alerts()[0]?.firedAt, (firedAt ?? 0) - 3630_000);
    assert.deepEqual(told(), []);
  });

  test('nor is a standstill of the process, which counts as missed', () => {
    const rules = manager(RULES);
    tick(rules, 0, 0);
    assert.equal(tick(rules, 600, 600).missed, 119);
    assert.deepEqual(told(), ['A: inactive > pending']);
    tick(rules, 655, 655);
    assert.deepEqual(told(), []);
    tick(rules, 660, 660);
    assert.deepEqual(told(), ['A: pending > firing']);
  });

  test('a late evaluation is none: the time counts', () => {
    const rules = manager(RULES);
    tick(rules, 0, 0);
    tick(rules, 60, 60);
    assert.deepEqual(told(), ['A: inactive > pending', 'A: pending > firing']);
  });

  test('keep_firing_for goes on after a sleep, and a firing alert keeps its start', () => {
    const rules = manager(file(group('g', 'alert: A, expr: x, keep_firing_for: 20s')));
    tick(rules, 0, 0);
    delete results.x;
    tick(rules, 5, 5);
    tick(rules, 7210, 10);
    tick(rules, 7220, 20);
    assert.deepEqual(told(), ['A: inactive > firing']);
    assert.equal(rules.alerts()[0]?.activeAt, at(0));
    tick(rules, 7225, 25);
    assert.deepEqual(told(), ['A: firing > resolved']);
  });
});

describe('a budget of time', () => {
  const RULES = file(
    group('a', 'record: ra, expr: x'),
    group('b', 'record: rb, expr: x'),
    group('c', 'record: rc, expr: x'),
  );
  const evaluated = (rules: RuleManager, t: number, force = false) => {
    order = [];
    const summary = rules.evaluate(at(t), { force });
    return [order.join(' '), summary.deferred, summary.missed];
  };
  let order: string[] = [];
  /** Every query takes 60 ms. */
  const slow = (budgetMs: number) =>
    manager(RULES, {
      budgetMs,
      query: () => {
        clock += 60;
        return [sample()];
      },
      append: (_, samples) => {
        for (const { labels } of samples) order.push(labels.__name__ ?? '');
      },
    });

  test('what it leaves out is first in the next call, in turn', () => {
    const rules = slow(100);
    const turns = [0, 5, 10, 15].map((second) => {
      clock = second * 1000;
      return evaluated(rules, second);
    });
    // The second evaluation of rb and of ra comes a whole interval late.
    assert.deepEqual(turns, [
      ['ra rb', 1, 0],
      ['rc ra', 1, 0],
      ['rb rc', 1, 1],
      ['ra rb', 1, 1],
    ]);
  });

  test('one group is evaluated however small it is, and a forced evaluation has none', () => {
    const rules = slow(0);
    assert.deepEqual(evaluated(rules, 0), ['ra', 2, 0]);
    assert.deepEqual(evaluated(rules, 1), ['rb', 1, 0]);
    assert.deepEqual(evaluated(rules, 2, true), ['rc ra rb', 0, 0]);
  });
});

describe('other rules while running', () => {
  const run = (rules: RuleManager, ...seconds: number[]) => {
    for (const second of seconds) {
      clock = second * 1000;
      rules.evaluate(at(second));
    }
  };

  test('a group that is the same goes on untouched', () => {
    const text = file(group('g', 'alert: A, expr: x, for: 10s, annotations: {s: "{{ $value }}"}'));
    const rules = manager(text);
    run(rules, 0, 5);
    rules.reload(groups(text));
    assert.equal(rules.describe()[0]?.lastEvaluation, at(5));
    run(rules, 10);
    assert.deepEqual(told(), ['A: inactive > pending', 'A: pending > firing']);
    assert.deepEqual(ended, ['ALERTS A']);
  });

  test('a rule of the same name and labels keeps its alerts, another one ends them', () => {
    const rules = manager(
      file(
        group('g', 'alert: A, expr: x, for: 10s', 'alert: B, expr: x', 'record: r, expr: x'),
        group('h', 'alert: C, expr: x'),
      ),
    );
    run(rules, 0, 5);
    told();
    results.y = [sample()];
    rules.reload(
      groups(
        file(
          group(
            'g',
            'alert: New, expr: up',
            'alert: A, expr: y, for: 10s',
            'alert: B, expr: x, labels: {severity: info}',
          ),
        ),
      ),
    );
    assert.deepEqual(told(), ['B: firing > resolved', 'C: firing > resolved']);
    assert.equal(rules.describe()[0]?.lastEvaluation, at(5));
    run(rules, 10);
    assert.deepEqual(told(), ['A: pending > firing', 'B: inactive > firing']);
    assert.deepEqual(ended.sort(), [
      'ALERTS A',
      'ALERTS B',
      'ALERTS C',
      'ALERTS_FOR_STATE B',
      'ALERTS_FOR_STATE C',
      'r',
    ]);
    assert.equal(rules.alerts().find(({ name }) => name === 'A')?.expr, 'y');
  });

  test('series that a rule of another group makes go on', () => {
    const rules = manager(file(group('g', 'record: r, expr: x')));
    run(rules, 0);
    rules.reload(groups(file(group('renamed', 'record: r, expr: x'))));
    run(rules, 5);
    assert.deepEqual(ended, []);
    rules.reload([]);
    run(rules, 10);
    assert.deepEqual(ended, ['r']);
    assert.deepEqual(rules.describe(), []);
  });

  test('a longer `for` ends a firing alert, which waits again; a shorter one lets it fire', () => {
    const text = (hold: string) => file(group('g', `alert: A, expr: x, for: ${hold}`));
    const rules = manager(text('10s'));
    run(rules, 0, 5, 10);
    told();
    rules.reload(groups(text('30s')));
    run(rules, 15);
    assert.deepEqual(told(), ['A: firing > resolved', 'A: inactive > pending']);
    assert.equal(rules.alerts()[0]?.activeAt, at(0));
    rules.reload(groups(text('20s')));
    run(rules, 20);
    assert.deepEqual(told(), ['A: pending > firing']);
  });

  test('the same rule twice is matched in its order', () => {
    const text = (...expr: string[]) => file(group('g', ...expr.map((each) => `alert: A, expr: ${each}`)));
    results.y = [sample({ i: '2' })];
    const rules = manager(text('x', 'y'));
    run(rules, 0);
    told();
    rules.reload(groups(text('x', 'y', 'up')));
    run(rules, 5);
    assert.deepEqual(told(), []);
  });

  test('a group keeps its schedule unless its interval changes', () => {
    const text = (interval: string, expr: string) =>
      file(`- name: g\n  interval: ${interval}\n  rules:\n  - {record: r, expr: ${expr}}\n`);
    const rules = manager(text('1m', 'x'));
    run(rules, 0);
    rules.reload(groups(text('1m', 'x + 0')));
    run(rules, 30);
    assert.equal(rules.describe()[0]?.lastEvaluation, at(0));
    rules.reload(groups(text('2m', 'x')));
    run(rules, 35);
    assert.equal(rules.describe()[0]?.lastEvaluation, at(35));
  });

  test('an alert has the interval of its group, also where two files have one of that name', () => {
    const text = (interval: string) =>
      file(`- name: g\n  interval: ${interval}\n  rules:\n  - {alert: A${interval}, expr: x}\n`);
    const rules = manager('', { groups: [...groups(text('1m')), ...groups(text('10m'), 's.yaml')] });
    const intervals = () => rules.alerts().map(({ name, intervalMs }) => [name, intervalMs]);
    run(rules, 0);
    assert.deepEqual(intervals(), [
      ['A1m', 60_000],
      ['A10m', 600_000],
    ]);
    rules.reload(groups(text('1m').replace('interval: 1m', 'interval: 2m')));
    assert.deepEqual(intervals(), [['A1m', 120_000]]);
  });
});

describe('limits', () => {
  test('one below 0 is none, as in Prometheus', () => {
    const rules = manager(`groups:\n- name: g\n  limit: -1\n  rules:\n  - {alert: A, expr: x}\n`);
    assert.equal(rules.evaluate(at(0)).failed, 0);
    assert.deepEqual(told(), ['A: inactive > firing']);
  });
});

describe('a restart by the rules of Prometheus', () => {
  /** An alert that held for `held` seconds, and came back `outage` seconds later. */
  function restarted(hold: string, held: number, outage: number): RuleManager {
    const text = file(group('g', `alert: A, expr: x, for: ${hold}`));
    const before = manager(text, { outageMs: 1e9 });
    before.evaluate(at(0));
    clock = held * 1000;
    before.evaluate(at(held));
    const after = manager(text);
    after.restore(JSON.parse(JSON.stringify(before.snapshot())));
    seen.length = 0;
    clock = (held + outage) * 1000;
    after.evaluate(at(held + outage));
    return after;
  }

  test('one that fired does so again, with its time', () => {
    const rules = restarted('1m', 90, 300);
    assert.deepEqual(told(), ['A: inactive > firing']);
    assert.equal(rules.alerts()[0]?.activeAt, at(0));
  });

  test('one with less than the grace period left fires after that', () => {
    const rules = restarted('30m', 25 * 60, 60);
    assert.equal(rules.alerts()[0]?.activeAt, at(26 * 60 + 600 - 1800));
  });

  test('one with more left waits on, the outage left out', () => {
    const rules = restarted('30m', 60, 120);
    assert.equal(rules.alerts()[0]?.activeAt, at(120));
  });

  test('one that waits less than the grace period altogether waits on as well', () => {
    const rules = restarted('1m', 50, 100);
    assert.equal(rules.alerts()[0]?.activeAt, at(100));
  });

  test('a clock a little behind that of the former process is no matter, one far behind is', () => {
    assert.equal(restarted('1m', 50, -10).alerts()[0]?.activeAt, at(0));
    assert.equal(restarted('10m', 300, -100).alerts()[0]?.activeAt, at(200));
  });

  test('what has not come back yet is remembered once more', () => {
    const text = file(group('g', 'alert: A, expr: x, for: 1m'));
    const before = manager(text);
    before.evaluate(at(0));
    clock = 40_000;
    before.evaluate(at(40));
    const snapshot = before.snapshot();
    delete results.x;
    const second = manager(text);
    second.restore(snapshot);
    clock = 50_000;
    second.evaluate(at(50));
    clock = 55_000;
    second.evaluate(at(55));
    const [alert, ...more] = second.snapshot().alerts;
    assert.deepEqual([alert?.activeAt, more], [at(15), []]);
    clock = 700_000;
    second.evaluate(at(700));
    assert.deepEqual(second.snapshot().alerts, []);
  });
});

describe('values that are no numbers, and none at all', () => {
  test('NaN and infinities fire as they do in Prometheus, and are written in annotations', () => {
    const rules = manager(
      file(group('g', "alert: A, expr: x, annotations: {s: '{{ $value }} {{ humanize $value }}'}")),
    );
    results.x = [sample({ i: 'a' }, Number.NaN), sample({ i: 'b' }, Infinity), sample({ i: 'c' }, -Infinity)];
    rules.evaluate(at(0));
    assert.deepEqual(
      rules.alerts().map(({ state, annotations }) => [state, annotations.s]),
      [
        ['firing', 'NaN NaN'],
        ['firing', '+Inf +Inf'],
        ['firing', '-Inf -Inf'],
      ],
    );
  });

  test('no data is no alert and no fault', () => {
    const rules = manager(file(group('g', 'alert: A, expr: none > 0', 'record: r, expr: sum(none)')));
    assert.deepEqual(rules.evaluate(at(0)), { succeeded: 2, failed: 0, missed: 0, deferred: 0 });
    assert.deepEqual([rules.alerts(), told()], [[], []]);
  });

  test('labels of a rule win over those of the series, an empty one removes it, alertname is the rule’s', () => {
    const rules = manager(
      file(group('g', "alert: A, expr: x, labels: {job: mine, gone: '', alertname: other, alertstate: x}")),
    );
    results.x = [sample({ __name__: 'x', job: 'theirs', gone: 'y', alertstate: 'z' })];
    rules.evaluate(at(0));
    assert.deepEqual({ ...rules.alerts()[0]?.labels }, { alertname: 'A', alertstate: 'x', job: 'mine' });
  });
});
