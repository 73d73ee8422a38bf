import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import type { AlertTransition } from '../../src/model/alert.ts';
import type { Labels } from '../../src/model/labels.ts';
import type { Sample } from '../../src/model/queryable.ts';
import { compile } from '../../src/promql/promql.ts';
import type { RuleFailure } from '../../src/rules/group.ts';
import { parseRuleFile } from '../../src/rules/load.ts';
import { createRuleManager, type RuleManager, type RuleManagerOptions } from '../../src/rules/manager.ts';
import { queryOf } from './query-table.ts';

const T = 1_700_000_000_000;
const RUN = {
  queue: 'q',
  task: 't',
  framework: 'bullmq',
  jobId: '7',
  attempt: 1,
  traceId: '',
  spanId: '',
  ageMs: 5,
  active: true,
};

let results: Record<string, Sample[] | Error>;
let seen: AlertTransition[];
let appended: [number, Labels, number][];
let ended: [number, Labels][];
let failures: [string, RuleFailure][];

beforeEach(() => {
  results = {};
  seen = [];
  appended = [];
  ended = [];
  failures = [];
});

function manager(rules: string, group = '', options: Partial<RuleManagerOptions> = {}): RuleManager {
  const text = `groups:\n- name: g\n${group}  rules:\n${rules}`;
  const { groups, errors } = parseRuleFile(text, 'r.yaml', compile);
  assert.deepEqual(errors, []);
  return createRuleManager({
    groups,
    compile,
    query: (expression) => queryOf(results)(expression),
    append: (t, samples) => {
      for (const { labels, value } of samples) appended.push([t, labels, value]);
    },
    stale: (t, labels) => ended.push([t, labels]),
    notify: (transition) => seen.push(transition),
    runsFor: () => [RUN],
    onError: (error, where) => failures.push([(error as Error).message, where]),
    ...options,
  });
}

const at = (seconds: number) => T + seconds * 1000;
const sample = (labels: Labels, value = 1): Sample => ({ labels, value });
const states = () => seen.splice(0).map(({ previousState, state }) => `${previousState} > ${state}`);

describe('one alert', () => {
  test('without `for` it fires at once, and is resolved when its sample is gone', () => {
    const rules = manager(
      '  - {alert: A, expr: x, labels: {severity: page}, annotations: {s: "{{ $value }}"}}\n',
    );
    results.x = [sample({ __name__: 'up', job: 'w' }, 2)];
    assert.deepEqual(rules.evaluate(at(0)), { succeeded: 1, failed: 0, missed: 0, deferred: 0 });
    const labels = { alertname: 'A', job: 'w', severity: 'page' };
    assert.deepEqual(seen, [
      {
        name: 'A',
        group: 'g',
        intervalMs: 5000,
        expr: 'x',
        state: 'firing',
        previousState: 'inactive',
        labels,
        annotations: { s: '2' },
        value: 2,
        fingerprint: seen[0]?.fingerprint,
        activeAt: at(0),
        firedAt: at(0),
        resolvedAt: undefined,
        at: at(0),
        runs: [RUN],
      },
    ]);
    assert.match(seen[0]!.fingerprint, /^[0-9a-f]{16}$/);
    assert.deepEqual(appended, [
      [at(0), { ...labels, __name__: 'ALERTS', alertstate: 'firing' }, 1],
      [at(0), { ...labels, __name__: 'ALERTS_FOR_STATE' }, at(0) / 1000],
    ]);
    assert.equal(rules.alerts().length, 1);

    const [first] = seen.splice(0);
    results.x = [];
    rules.evaluate(at(5));
    assert.deepEqual(seen[0], {
      ...first,
      state: 'resolved',
      previousState: 'firing',
      resolvedAt: at(5),
      at: at(5),
    });
    assert.equal(first?.state, 'firing', 'a transition is a copy');
    assert.deepEqual(
      ended.map(([t, { __name__ }]) => [t, __name__]),
      [
        [at(5), 'ALERTS'],
        [at(5), 'ALERTS_FOR_STATE'],
      ],
    );
    assert.deepEqual([rules.alerts().length, rules.resolved().length], [0, 1]);
    rules.evaluate(at(5 + 900));
    assert.equal(rules.resolved().length, 1);
    rules.evaluate(at(5 + 905));
    assert.equal(rules.resolved().length, 0);
    assert.deepEqual(states(), ['firing > resolved']);
  });

  test('with `for` it is pending until the whole time has passed', () => {
    const rules = manager('  - {alert: A, expr: x, for: 10s}\n');
    results.x = [sample({})];
    rules.evaluate(at(0));
    rules.evaluate(at(5));
    assert.deepEqual(states(), ['inactive > pending']);
    assert.equal(rules.alerts()[0]?.state, 'pending');
    rules.evaluate(at(10));
    assert.deepEqual(states(), ['pending > firing']);
    assert.deepEqual(
      ended.map(([t, labels]) => [t, labels.alertstate]),
      [[at(10), 'pending']],
    );
  });

  test('a pending one that ends is dropped, and starts afresh', () => {
    const rules = manager('  - {alert: A, expr: x, for: 10s}\n');
    results.x = [sample({})];
    rules.evaluate(at(0));
    results.x = [];
    rules.evaluate(at(5));
    assert.deepEqual([rules.alerts().length, rules.resolved().length], [0, 0]);
    results.x = [sample({})];
    rules.evaluate(at(10));
    rules.evaluate(at(15));
    assert.deepEqual(states(), ['inactive > pending', 'pending > resolved', 'inactive > pending']);
    assert.equal(rules.alerts()[0]?.activeAt, at(10));
  });

  test('keep_firing_for counts from the first miss, and a hit begins it anew', () => {
    const rules = manager('  - {alert: A, expr: x, keep_firing_for: 10s}\n');
    const steps: [number, boolean, string[]][] = [
      [0, true, ['inactive > firing']],
      [5, false, []],
      [10, false, []],
      [15, true, []],
      [20, false, []],
      [25, false, []],
      [30, false, ['firing > resolved']],
      [35, true, ['inactive > firing']],
    ];
    for (const [seconds, present, wanted] of steps) {
      results.x = present ? [sample({}, seconds)] : [];
      rules.evaluate(at(seconds));
      assert.deepEqual(states(), wanted, `at ${seconds}`);
    }
  });

  test('value and annotations follow the sample, while labels make another alert', () => {
    const rules = manager('  - {alert: A, expr: x, annotations: {s: "{{ $value }}"}}\n');
    results.x = [sample({ job: 'a' }, 1)];
    rules.evaluate(at(0));
    results.x = [sample({ job: 'a' }, 2), sample({ job: 'b' }, 3)];
    rules.evaluate(at(5));
    assert.deepEqual(
      rules.alerts().map(({ labels, value, annotations }) => [labels.job, value, annotations.s]),
      [
        ['a', 2, '2'],
        ['b', 3, '3'],
      ],
    );
    assert.equal(seen.length, 2);
  });
});

describe('rules of a group', () => {
  test('recording rules name their result and end series that are gone', () => {
    const rules = manager('  - {record: "job:x", expr: x, labels: {a: b, job: ""}}\n');
    results.x = [sample({ __name__: 'up', job: 'w', i: '1' }, 2), sample({ i: '2' }, 3)];
    rules.evaluate(at(0));
    const made = (i: string) => ({ __name__: 'job:x', a: 'b', i });
    assert.deepEqual(appended, [
      [at(0), made('1'), 2],
      [at(0), made('2'), 3],
    ]);
    results.x = [sample({ i: '2' }, 3)];
    rules.evaluate(at(5));
    assert.deepEqual(ended, [[at(5), made('1')]]);
  });

  test('one that fails leaves its alerts as they are and does not stop the others', () => {
    const rules = manager('  - {alert: A, expr: x}\n  - {record: r, expr: y}\n');
    results = { x: [sample({})], y: [sample({})] };
    rules.evaluate(at(0));
    results.x = new Error('broken');
    assert.deepEqual(rules.evaluate(at(5)), { succeeded: 1, failed: 1, missed: 0, deferred: 0 });
    assert.deepEqual(failures, [['broken', { group: 'g', rule: 'A', step: 'evaluate' }]]);
    assert.equal(rules.alerts().length, 1);
    assert.deepEqual(ended, []);
    assert.equal(appended.at(-1)?.[0], at(5));
  });

  test('two samples that make the same alert or series are an error', () => {
    const rules = manager(
      '  - {alert: A, expr: x, labels: {i: ""}}\n  - {record: r, expr: x, labels: {i: ""}}\n',
    );
    results.x = [sample({ i: '1' }), sample({ i: '2' })];
    assert.equal(rules.evaluate(at(0)).failed, 2);
    assert.deepEqual(
      failures.map(([message]) => message),
      [
        'vector contains metrics with the same labelset after applying alert labels',
        'vector contains metrics with the same labelset after applying rule labels',
      ],
    );
    assert.deepEqual([seen, appended], [[], []]);
  });

  test('beyond the limit a rule fails and all its alerts end', () => {
    const rules = manager('  - {alert: A, expr: x}\n  - {record: r, expr: x}\n', '  limit: 1\n');
    results.x = [sample({ i: '1' })];
    rules.evaluate(at(0));
    results.x = [sample({ i: '1' }), sample({ i: '2' })];
    assert.equal(rules.evaluate(at(5)).failed, 2);
    assert.deepEqual(
      failures.map(([message]) => message),
      ['exceeded limit of 1 with 2 alerts', 'exceeded limit of 1 with 2 series'],
    );
    assert.deepEqual(states(), ['inactive > firing', 'firing > resolved']);
    assert.equal(rules.alerts().length, 0);
    assert.deepEqual(
      ended.map(([, labels]) => labels.__name__),
      ['ALERTS', 'ALERTS_FOR_STATE'],
    );
  });

  test('a fault in any port is told and stops nothing', () => {
    const fault = () => {
      throw new Error('fault');
    };
    const rules = manager('  - {alert: A, expr: x}\n  - {alert: B, expr: x}\n', '', {
      notify: fault,
      append: fault,
      runsFor: fault,
    });
    results.x = [sample({})];
    assert.deepEqual(rules.evaluate(at(0)), { succeeded: 0, failed: 2, missed: 0, deferred: 0 });
    const steps = ['runs', 'notify', 'append'] as const;
    const wanted = ['A', 'B'].flatMap((rule) => steps.map((step) => ['fault', { group: 'g', rule, step }]));
    assert.deepEqual(failures, wanted);
    assert.equal(rules.alerts().length, 2);
  });

  test('query_offset moves the query, not what is written', () => {
    const times: number[] = [];
    const rules = manager('  - {record: r, expr: x}\n', '  query_offset: 30s\n', {
      query: (_, t) => {
        times.push(t);
        return [sample({})];
      },
    });
    rules.evaluate(at(0));
    assert.deepEqual([times, appended[0]?.[0]], [[at(-30)], at(0)]);
  });

  test('templates know external labels, and query at the time of the evaluation', () => {
    const text = '{{ $externalLabels.dc }} {{ query "y" | first | value }} {{ now }}';
    const rules = manager(`  - {alert: A, expr: x, annotations: {s: '${text}'}}\n`, '', {
      externalLabels: { dc: 'eu' },
    });
    results = { x: [sample({})], y: [sample({}, 9)] };
    rules.evaluate(at(0));
    assert.equal(seen[0]?.annotations.s, `eu 9 1.7e+09`);
  });
});

describe('what a reader sees of the rules', () => {
  const GROUP = '  interval: 10s\n  limit: 3\n  query_offset: 1s\n  labels: {team: jobs}\n';
  const RULES = `  - {alert: A, expr: x, for: 15s, keep_firing_for: 1m, annotations: {s: '{{ $value }}'}}
  - {record: r, expr: y}
`;

  test('before the first evaluation nothing is known but the rules themselves', () => {
    const [group] = manager(RULES, GROUP).describe();
    const { rules, ...rest } = group!;
    assert.deepEqual(rest, {
      name: 'g',
      file: 'r.yaml',
      intervalMs: 10_000,
      limit: 3,
      queryOffsetMs: 1000,
      lastEvaluation: undefined,
      evaluationTime: 0,
    });
    const unknown = { health: 'unknown', lastError: '', lastEvaluation: undefined, evaluationTime: 0 };
    assert.deepEqual(rules, [
      {
        kind: 'alert',
        name: 'A',
        query: 'x',
        durationMs: 15_000,
        keepFiringForMs: 60_000,
        labels: { team: 'jobs' },
        annotations: { s: '{{ $value }}' },
        state: 'unknown',
        alerts: [],
        ...unknown,
      },
      {
        kind: 'record',
        name: 'r',
        query: 'y',
        durationMs: 0,
        keepFiringForMs: 0,
        labels: { team: 'jobs' },
        annotations: {},
        state: 'inactive',
        alerts: [],
        ...unknown,
      },
    ]);
  });

  test('then their state, health and times; an error is gone once the rule works again', () => {
    let clock = 0;
    const rules = manager(RULES, GROUP, { elapsed: () => (clock += 250) });
    const evaluate = (seconds: number) => {
      clock = seconds * 1000;
      rules.evaluate(at(seconds));
    };
    results = { x: [sample({ i: '1' })], y: new Error('broken') };
    evaluate(0);
    const look = () =>
      rules
        .describe()[0]!
        .rules.map(({ health, lastError, state, alerts, lastEvaluation }) => [
          health,
          lastError,
          state,
          alerts.map((alert) => alert.state),
          lastEvaluation,
        ]);
    assert.deepEqual(look(), [
      ['ok', '', 'pending', ['pending'], at(0)],
      ['err', 'broken', 'inactive', [], at(0)],
    ]);
    const [group] = rules.describe();
    assert.deepEqual(
      [group?.evaluationTime, ...group!.rules.map((rule) => rule.evaluationTime)],
      [0.5, 0.25, 0.25],
    );
    results.y = [];
    for (const seconds of [10, 20]) evaluate(seconds);
    assert.deepEqual(look(), [
      ['ok', '', 'firing', ['firing'], at(20)],
      ['ok', '', 'inactive', [], at(20)],
    ]);
  });

  test('a receiver that fails is no fault of the rule', () => {
    const rules = manager('  - {alert: A, expr: x}\n', '', {
      notify: () => {
        throw new Error('no receiver');
      },
    });
    results.x = [sample({})];
    rules.evaluate(at(0));
    assert.equal(rules.describe()[0]?.rules[0]?.health, 'ok');
  });
});

describe('when groups are due', () => {
  const evaluations = (rules: RuleManager, ...seconds: number[]) =>
    seconds.map((second) => rules.evaluate(at(second)).succeeded);

  test('by their interval, 5 s unless they name one; ticks may be a little early', () => {
    const rules = manager('  - {alert: A, expr: x}\n');
    assert.deepEqual(evaluations(rules, 0, 1, 4.4, 4.6, 9, 10.2, 14.9, 20.1), [1, 0, 0, 1, 0, 1, 1, 1]);
    const own = manager('  - {alert: A, expr: x}\n', '  interval: 1m\n');
    assert.deepEqual(evaluations(own, 0, 5, 55, 60), [1, 0, 1, 0]);
    const other = manager('  - {alert: A, expr: x}\n', '', { defaultIntervalMs: 1000 });
    assert.deepEqual(evaluations(other, 0, 1, 2), [1, 1, 1]);
  });

  test('intervals that passed unused are counted', () => {
    const rules = manager('  - {alert: A, expr: x}\n  - {alert: B, expr: x}\n');
    rules.evaluate(at(0));
    assert.deepEqual(rules.evaluate(at(23)), { succeeded: 2, failed: 0, missed: 6, deferred: 0 });
    assert.deepEqual(evaluations(rules, 24, 25), [0, 2]);
  });

  test('force evaluates at once and leaves the schedule alone; the same moment is not evaluated twice', () => {
    const rules = manager('  - {alert: A, expr: x}\n');
    rules.evaluate(at(0));
    assert.equal(rules.evaluate(at(1), { force: true }).succeeded, 1);
    assert.equal(rules.evaluate(at(1), { force: true }).succeeded, 0);
    assert.deepEqual(evaluations(rules, 2, 5), [0, 1]);
  });

  test('some rules are evaluated before their time, and the group when it is due', () => {
    const rules = manager('  - {alert: A, expr: x}\n  - {alert: B, expr: x}\n');
    rules.evaluate(at(0));
    results.x = [sample({ job: 'w' })];
    const only = rules.evaluateOnly(at(3), ({ name }) => name === 'B');
    assert.deepEqual(only, { succeeded: 1, failed: 0, missed: 0, deferred: 0 });
    assert.deepEqual(
      rules.alerts().map(({ name }) => name),
      ['B'],
    );
    rules.evaluateOnly(at(5), ({ name }) => name === 'B');
    assert.deepEqual(evaluations(rules, 4, 5, 9, 10), [0, 2, 0, 2]);
  });

  test('a clock that steps back does not stop them', () => {
    const rules = manager('  - {alert: A, expr: x}\n');
    assert.deepEqual(evaluations(rules, 0, 5, -3600, -3595, -3590), [1, 1, 1, 1, 1]);
  });
});

describe('a restart', () => {
  const RULES = '  - {alert: A, expr: x, for: 60s}\n';
  /** A manager that saw the alert at 0 and 30 s, as another process finds it. */
  function restarted(instance: string): RuleManager {
    const rules = manager(RULES);
    results.x = [sample({ job: 'w', instance })];
    rules.evaluate(at(0));
    rules.evaluate(at(30));
    const next = manager(RULES);
    assert.equal(next.restore(JSON.parse(JSON.stringify(rules.snapshot()))), 1);
    seen.length = 0;
    results.x = [sample({ job: 'w', instance: 'another' })];
    return next;
  }

  test('keeps `for`, and does not count the time in between', () => {
    const rules = restarted('one');
    rules.evaluate(at(130));
    assert.deepEqual(states(), ['inactive > pending']);
    assert.equal(rules.alerts()[0]?.activeAt, at(100));
    rules.evaluate(at(155));
    assert.deepEqual(states(), []);
    rules.evaluate(at(160));
    assert.deepEqual(states(), ['pending > firing']);
  });

  test('gives an alert back once, and not after an hour or long after the start', () => {
    const late = restarted('one');
    late.evaluate(at(30 + 3601));
    assert.equal(late.alerts()[0]?.activeAt, at(30 + 3601));
    const twice = restarted('one');
    twice.evaluate(at(40));
    const { x } = results;
    results.x = [];
    twice.evaluate(at(45));
    results.x = x!;
    twice.evaluate(at(50));
    assert.equal(twice.alerts()[0]?.activeAt, at(50));
  });

  test('takes nothing from what is no snapshot', () => {
    const rules = manager(RULES);
    const labels = { job: 1 };
    for (const text of [
      null,
      5,
      'x',
      {},
      { version: 2, at: T, alerts: [] },
      { version: 1, at: T, alerts: 'x' },
    ])
      assert.equal(rules.restore(text), 0);
    const alerts = [
      null,
      { group: 'g', rule: 'A', labels, activeAt: T },
      { group: 'g', rule: 'A', labels: {}, activeAt: '0' },
    ];
    assert.equal(rules.restore({ version: 1, at: T, alerts }), 0);
  });
});
