import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { TaskwardenError } from '../../src/model/errors.ts';
import { compile } from '../../src/promql/promql.ts';
import { findRuleFiles } from '../../src/rules/find.ts';
import { loadRuleFiles, parseRuleFile } from '../../src/rules/load.ts';
import { expandTemplate } from '../../src/rules/template.ts';
import { promtool, promtoolMissing } from './promtool.ts';

const messages = (text: string) =>
  parseRuleFile(text, 'r.yaml', compile).errors.map((error) => error.message);
/** One group whose only rule has these lines. */
const rule = (...lines: string[]) =>
  `groups:\n- name: g\n  rules:\n  - alert: A\n${lines.map((line) => `    ${line}\n`).join('')}`;

describe('a well-formed file', () => {
  test('every key of a group and of its rules is read', () => {
    const { groups, errors } = parseRuleFile(
      `groups:
- name: g
  interval: 1m30s
  limit: 7
  query_offset: 10s
  labels: {team: jobs, tier: "1"}
  rules:
  - alert: A
    expr: up == 0
    for: 5m
    keep_firing_for: 30s
    labels: {tier: 2, severity: yes}
    annotations: {summary: 'down: {{ $labels.job }}'}
  - record: job:up:sum
    expr: |
      sum(up)
    labels: {a: b}
`,
      'r.yaml',
      compile,
    );
    assert.deepEqual(errors, []);
    const { rules, ...group } = groups[0]!;
    assert.deepEqual(group, {
      name: 'g',
      file: 'r.yaml',
      intervalMs: 90_000,
      limit: 7,
      queryOffsetMs: 10_000,
    });
    const [alert, record] = rules;
    assert.ok(alert?.kind === 'alert' && record?.kind === 'record');
    assert.equal(alert.holdMs, 300_000);
    assert.equal(alert.keepFiringMs, 30_000);
    assert.deepEqual(
      alert.labels.map(([name, template]) => [name, template.text]),
      [
        ['severity', 'yes'],
        ['team', 'jobs'],
        ['tier', '2'],
      ],
    );
    assert.deepEqual(alert.position, { line: 8, column: 12 });
    assert.equal(record.expr, 'sum(up)');
    assert.deepEqual(record.labels, { a: 'b', team: 'jobs', tier: '1' });
    const environment = { now: 0, externalUrl: '', query: () => [] };
    const data = { labels: { job: 'w' }, externalLabels: {}, value: 1 };
    assert.equal(expandTemplate(alert.annotations[0]![1], data, environment), 'down: w');
  });

  test('an empty file, a file of comments and a group without rules are fine', () => {
    for (const text of ['', '# nothing\n', 'groups:\n', 'groups:\n- name: g\n', '\uFEFFgroups: []'])
      assert.deepEqual(messages(text), []);
  });

  test('aliases and merge keys are followed', () => {
    const text = `groups:
- name: g
  rules:
  - &base {alert: A, expr: up, labels: &l {severity: info}}
  - {<<: *base, alert: B, annotations: *l}
`;
    const { groups, errors } = parseRuleFile(text, 'r.yaml', compile);
    assert.deepEqual(errors, []);
    assert.deepEqual(
      groups[0]!.rules.map(({ name, expr }) => [name, expr]),
      [
        ['A', 'up'],
        ['B', 'up'],
      ],
    );
  });
});

describe('what is wrong is named with file, line and column', () => {
  const cases: [string, string, RegExp][] = [
    ['malformed YAML', 'groups: [', /^r\.yaml:1:10: /],
    ['a root that is a list', '- a', /^r\.yaml:1:1: the file must be a mapping, not a list$/],
    [
      'an unknown key of the file',
      'group: []',
      /^r\.yaml:1:1: the file: unknown key "group" \(allowed: groups\)$/,
    ],
    ['two documents', 'groups: []\n---\ngroups: []', /^r\.yaml:2:1: only one YAML document/],
    [
      'a key given twice',
      'groups:\n- name: g\n  name: h',
      /^r\.yaml:3:3: a group: key "name" is given twice$/,
    ],
    ['a group given twice', 'groups:\n- name: g\n- name: g', /^r\.yaml:3:3: group "g" is given twice/],
    ['a group without a name', 'groups:\n- rules: []', /^r\.yaml:2:3: a group has no name$/],
    [
      'a wrong interval',
      'groups:\n- name: g\n  interval: 5',
      /^r\.yaml:3:13: group "g": interval: "5" is not a duration/,
    ],
    [
      'a wrong limit',
      'groups:\n- name: g\n  limit: "5"',
      /^r\.yaml:3:10: group "g": limit must be a whole number, not "5"$/,
    ],
    [
      'rules that are no list',
      'groups:\n- name: g\n  rules: {}',
      /^r\.yaml:3:10: group "g": rules must be a list, not a mapping$/,
    ],
    [
      'an unknown key of a rule',
      rule('expr: up', 'fro: 5m'),
      /^r\.yaml:6:5: a rule of group "g": unknown key "fro"/,
    ],
    [
      'a wrong duration',
      rule('expr: up', 'for: 5 minutes'),
      /^r\.yaml:6:10: group "g", alert "A": for: "5 minutes" is not a duration/,
    ],
    ['no expression', rule('for: 5m'), /^r\.yaml:4:12: group "g", alert "A": "expr" is missing or empty$/],
    ['a label name', rule('expr: up', 'labels: {a-b: c}'), /^r\.yaml:6:14: .*"a-b" is not a label name/],
    [
      'the label __name__',
      rule('expr: up', 'labels: {__name__: c}'),
      /^r\.yaml:6:14: .*"__name__" is not a label name/,
    ],
    [
      'a label that is no text',
      rule('expr: up', 'labels: {a: [b]}'),
      /^r\.yaml:6:17: .*labels: a must be a text, not a list$/,
    ],
    [
      'both kinds',
      rule('record: b', 'expr: up'),
      /^r\.yaml:4:12: .*has either "alert" or "record", not both$/,
    ],
    [
      'neither kind',
      'groups:\n- name: g\n  rules:\n  - expr: up',
      /^r\.yaml:4:5: a rule of group "g" has neither/,
    ],
    ['an alias of nothing', rule('expr: *x'), /^r\.yaml:5:11: alias \*x has no anchor before it$/],
    [
      'a template',
      rule('expr: up', "annotations: {s: 'it''s {{ nope }}'}"),
      /^r\.yaml:6:32: .*annotation s: template: function "nope" not defined$/,
    ],
  ];
  for (const [what, text, wanted] of cases)
    test(what, () => assert.match(messages(text)[0] ?? 'no error', wanted));

  test('promtool refuses the same files', { skip: promtoolMissing() }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'taskwarden-broken-'));
    for (const [what, text] of cases) {
      writeFileSync(join(folder, 'r.yaml'), text);
      const { status, output } = promtool('check', 'rules', join(folder, 'r.yaml'));
      // Prometheus reads the first document alone, and says nothing of the others before version 3.
      assert.equal(status === 0, what === 'two documents', `${what}: ${output}`);
    }
    rmSync(folder, { recursive: true });
  });

  test('a recording rule has no for, no annotations and a metric name', () => {
    const text =
      'groups:\n- name: g\n  rules:\n  - record: a-b\n    expr: up\n    for: 5m\n    annotations: {a: b}\n';
    assert.deepEqual(messages(text), [
      'r.yaml:4:13: group "g", record "a-b": is not a metric name',
      'r.yaml:6:5: group "g", record "a-b": "for" belongs to alerts only',
      'r.yaml:7:5: group "g", record "a-b": "annotations" belongs to alerts only',
    ]);
  });

  test('all errors of a file are found, and the rules without one are kept', () => {
    const { groups, errors } = parseRuleFile(
      'groups:\n- name: g\n  rules:\n  - {alert: A, expr: §}\n  - {alert: B, expr: up}\n  - {alert: C, expr: §}\n',
      'r.yaml',
      compile,
    );
    assert.deepEqual(
      errors.map(({ code, position }) => [code, position?.line]),
      [
        ['TASKWARDEN_PROMQL', 4],
        ['TASKWARDEN_PROMQL', 6],
      ],
    );
    assert.deepEqual(
      groups[0]!.rules.map(({ name }) => name),
      ['B'],
    );
  });
});

test('a broken expression is found at the line and column of the file, however it is written', () => {
  const ways: Record<string, string[]> = {
    plain: ['expr: sum(up) by §'],
    'plain, folded': ['expr: sum(up)', '  by', '  (x) §'],
    'single quotes': ["expr: 'up{a=''b''} §'"],
    'double quotes': ['expr: "up{a=\\"b\\"}\\n + \\u0061 §"'],
    'double quotes, folded': ['expr: "sum(up) \\', '  by §"'],
    literal: ['expr: |', '  sum(up)', '    by', '  (x) §'],
    'literal with a mark': ['expr: |2-  # why', '    sum(up)', '   by §'],
    folded: ['expr: >-', '  sum(up)', '', '  by', '  (x) §'],
    'with characters beyond the basic plane': ['expr: "up{a=\'😀\\U0001F600\'} §"'],
  };
  for (const [way, lines] of Object.entries(ways)) {
    const text = rule(...lines);
    const row = text.split('\n').findIndex((line) => line.includes('§'));
    const place = `r.yaml:${row + 1}:${text.split('\n')[row]!.indexOf('§') + 1}: `;
    const [message = 'no error'] = messages(text);
    assert.ok(message.startsWith(place), `${way}: ${message}, wanted ${place}`);
    assert.ok(message.endsWith('group "g", alert "A": parse error: unexpected character: \'§\''), message);
  }
});

describe('hostile files end with an error, soon', () => {
  test('aliases that multiply', () => {
    const bomb = [
      'a0: &a0 [x]',
      ...Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`),
    ];
    assert.match(messages(`${bomb.join('\n')}\ngroups: *a30`)[0] ?? '', /unknown key "a0"/);
    const rules = Array.from({ length: 2000 }, () => '  - {alert: A, expr: up}').join('\n');
    const groups = Array.from({ length: 2000 }, (_, i) => `- {name: g${i}, rules: *r}`).join('\n');
    const text = `groups:\n- name: g\n  rules: &r\n${rules}\n${groups}`;
    assert.ok(messages(text).some((message) => message.includes('more than 200000 nodes')));
  });

  test('an anchor within itself', () => {
    assert.ok(
      messages('groups:\n- &g\n  name: g\n  <<: *g\n').some((message) =>
        /nested more than 20 deep/.test(message),
      ),
    );
  });

  const MEGA = 2 ** 20 - 100;
  const lines = (n: number, line: (n: number) => string) =>
    Array.from({ length: n }, (_, at) => line(at)).join('\n');
  const cases: [string, string, RegExp][] = [
    ['brackets', `groups: ${'['.repeat(MEGA)}`, /^r\.yaml:1:72: more than 64 levels deep$/],
    ['braces', `#\ngroups: ${'{a: '.repeat(MEGA / 4)}`, /^r\.yaml:2:261: more than 64 levels deep$/],
    ['few brackets', `groups: ${'['.repeat(100)}`, /^r\.yaml:1:72: more than 64 levels deep$/],
    ['lists of lists', '- '.repeat(MEGA / 2), /^r\.yaml:1:129: more than 64 levels deep$/],
    ['indentation', lines(1400, (n) => `${' '.repeat(n)}a:`), /^r\.yaml:(\d+):\1: nested too deeply$/],
    ['many values', `groups:\n${lines(MEGA / 4, () => '- a')}`, /^r\.yaml:40001:1: more than 200000 tokens$/],
    ['many errors', `groups: [${','.repeat(50_000)}]`, /^r\.yaml:1:11: Unexpected , in flow sequence$/],
    ['tags', '! '.repeat(MEGA / 2), /^r\.yaml:1:200000: more than 200000 tokens$/],
    ['size', `#${'x'.repeat(2 ** 20)}`, /^r\.yaml:1:1: the file is larger than 1048576 characters$/],
    ['an endless text', `groups: "${'x'.repeat(MEGA)}`, /^r\.yaml:1:1048486: Missing closing "quote$/],
    [
      'a long value',
      `groups: |\n${' x\n'.repeat(MEGA / 4)}`,
      /^r\.yaml:1:9: groups must be a list, not "x[\sx]{400,500}…$/,
    ],
    [
      'the same anchor thousands of times',
      `groups: [${Array.from({ length: 15_000 }, () => '&a x, *a').join(', ')}]`,
      /^r\.yaml:1:\d+: a group must be a mapping/,
    ],
    ['doubled keys', lines(20_000, () => 'k: 1'), /^r\.yaml:1:1: the file: unknown key "k"/],
    [
      'brackets in an expression',
      rule(`expr: ${'('.repeat(100_000)}`),
      /^r\.yaml:5:\d+: .*nested too deeply$/,
    ],
    [
      'a regular expression',
      rule(`expr: a{b=~"${'(a{1,1000}){1,1000}'.repeat(5)}"}`),
      /^r\.yaml:5:\d+: .*too large$/,
    ],
    [
      'a template',
      rule('expr: up', `annotations: {s: "${'{{ if true }}'.repeat(20_000)}"}`),
      /^r\.yaml:6:\d+: .*template: nested too deeply$/,
    ],
  ];
  for (const [what, text, wanted] of cases)
    test(what, () => {
      const found = messages(text);
      assert.match(found[0] ?? 'no error', wanted);
      assert.ok(found.length <= 50);
    });

  test('labels named like members of Object', () => {
    const { groups, errors } = parseRuleFile(
      'groups:\n- name: g\n  rules:\n  - record: r\n    expr: up\n    labels: {__proto__: x, constructor: y}\n',
      'r.yaml',
      compile,
    );
    assert.deepEqual(errors, []);
    const made = groups[0]!.rules[0]!;
    assert.ok(made.kind === 'record');
    assert.deepEqual(Object.entries(made.labels), [
      ['__proto__', 'x'],
      ['constructor', 'y'],
    ]);
  });
});

describe('files by path and glob', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'taskwarden-rules-'));
    mkdirSync(join(folder, 'sub/deep'), { recursive: true });
    mkdirSync(join(folder, 'dir.yaml'));
    for (const file of [
      'b.yaml',
      'a.yaml',
      'sub/c.yml',
      'sub/deep/d.yaml',
      '.hidden.yaml',
      'n1.yaml',
      'n2.yaml',
    ])
      writeFileSync(join(folder, file), `groups:\n- name: ${file}\n`);
    writeFileSync(join(folder, 'broken.txt'), rule('expr: §'));
    writeFileSync(join(folder, 'large.txt'), '');
  });
  after(() => rmSync(folder, { recursive: true }));

  test('wildcards stay within a folder, ** does not, folders and hidden files are left out', () => {
    const find = (...patterns: string[]) => findRuleFiles(patterns, folder).files;
    assert.deepEqual(find('?.yaml'), ['a.yaml', 'b.yaml']);
    assert.deepEqual(find('*.yaml'), ['a.yaml', 'b.yaml', 'n1.yaml', 'n2.yaml']);
    assert.deepEqual(find('n[!1].yaml', 'sub/*.yml'), ['n2.yaml', 'sub/c.yml']);
    assert.deepEqual(find('sub/**/*.y*ml'), ['sub/c.yml', 'sub/deep/d.yaml']);
    assert.deepEqual(find(join(folder, 'sub/*')), [join(folder, 'sub/c.yml')]);
    assert.deepEqual(findRuleFiles(['no/*.yaml', 'a.yaml'], folder).unmatched, ['no/*.yaml']);
  });

  test('each file is loaded once, in the order given', () => {
    const { groups, files } = loadRuleFiles(['b.yaml', './b.yaml', '?.yaml'], compile, folder);
    assert.deepEqual(
      groups.map(({ name }) => name),
      ['b.yaml', 'a.yaml'],
    );
    assert.deepEqual(files, ['b.yaml', 'a.yaml']);
  });

  test('a path that is missing or a folder, and a broken file, are errors', () => {
    const failure = (pattern: string) => {
      try {
        loadRuleFiles([pattern], compile, folder);
      } catch (error) {
        assert.ok(error instanceof TaskwardenError);
        return [error.code, error.message];
      }
      return undefined;
    };
    assert.deepEqual(failure('no.yaml'), ['TASKWARDEN_FILE', 'no.yaml: cannot be read: no such file']);
    assert.deepEqual(failure('sub'), [
      'TASKWARDEN_FILE',
      'sub: is a folder; name its files, such as sub/*.yaml',
    ]);
    assert.deepEqual(failure('/dev/null'), ['TASKWARDEN_FILE', '/dev/null: is not a file']);
    truncateSync(join(folder, 'large.txt'), 2 ** 33);
    assert.deepEqual(failure('large.txt'), ['TASKWARDEN_FILE', 'large.txt: is larger than 4194304 bytes']);
    assert.equal(failure('broken.txt')?.[0], 'TASKWARDEN_PROMQL');
    assert.match(failure('broken.txt')![1]!, /^broken\.txt:5:11: /);
  });
});
