/** Rules that the tests below are about. */
export const RULES = `groups:
- name: first
  interval: 1m
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
  - record: job:up:changes
    expr: sum by (job) (changes(up[10m]))
    labels: {kind: flapping}
- name: second
  rules:
  - alert: Down
    expr: job:up:sum < 2
    for: 2m
    keep_firing_for: 2m
    labels: {severity: page, tier: '{{ $labels.job | toUpper }}'}
    annotations:
      summary: '{{ $labels.job }} has {{ $value }} in {{ $externalLabels.dc }}'
      link: '{{ $externalURL }}'
      empty: ''
  - alert: Slow
    expr: rate(requests_total[5m]) < 1
  - alert: Limited
    expr: absent(heartbeat{job="x"})
    labels: {severity: info}
`;

const UP = `
  - {series: 'up{job="a", i="1"}', values: '1x20'}
  - {series: 'up{job="a", i="2"}', values: '1 1 0x3 1x15'}
  - {series: 'up{job="b"}', values: '2 _ stale 2x17'}`;

/** One test over the series above. */
function one(cases: string, more = '', interval = '1m'): string {
  return `rule_files: [rules.yaml]\ngroup_eval_order: [first, second]\ntests:\n- name: a test\n  interval: ${interval}\n${more}  input_series:${UP}\n${cases}`;
}

const alert = (time: string, name: string, expected = '') =>
  `  alert_rule_test:\n  - eval_time: ${time}\n    alertname: ${name}\n${expected}`;
const expr = (text: string, time: string, samples = '[]') =>
  `  promql_expr_test:\n  - {expr: '${text}', eval_time: ${time}, exp_samples: ${samples}}\n`;

const DOWN = `    exp_alerts:
    - exp_labels: {job: a, severity: page, tier: A}
      exp_annotations: {summary: 'a has 1 in ', link: '', empty: ''}
`;

/** Files of tests, all with an order of groups, since promtool has a random one otherwise; some of which hold and some do not; promtool says which. Only classic floats. */
export const CASES: Readonly<Record<string, string>> = {
  'no tests': 'rule_files: [rules.yaml]\ntests: []\n',
  'no tests of broken rules': 'rule_files: [broken.yaml]\ntests: []\n',
  'broken rules': 'rule_files: [broken.yaml]\ntests: [{}]\n',
  'no rule files': `tests:\n- interval: 1m\n  input_series: [{series: x, values: 1}]\n${expr('x', '0', '[{labels: x, value: 1}]')}`,
  'a rule file that is not there': `rule_files: [gone.yaml]\ntests:\n- interval: 1m\n  input_series: [{series: x, values: 1}]\n${expr('x', '0', '[{labels: x, value: 1}]')}`,
  'a glob': one(expr('job:up:sum{job="a"}', '0', '[{labels: "job:up:sum{job=\\"a\\"}", value: 2}]')).replace(
    'rules.yaml',
    "'r*.yaml'",
  ),
  'pending, not firing': one(alert('3m', 'Down')),
  firing: one(alert('4m', 'Down', DOWN)),
  'firing between evaluations': one(alert('4m30s', 'Down', DOWN)),
  'kept firing': one(alert('6m', 'Down', DOWN)),
  'no longer kept firing': one(alert('8m', 'Down')),
  'firing although nothing is expected': one(alert('4m', 'Down', '    exp_alerts: []\n')),
  'nothing although something is expected': one(alert('1m', 'Down', DOWN)),
  'a missing label': one(alert('4m', 'Down', DOWN.replace(', tier: A', ''))),
  'a label too many': one(alert('4m', 'Down', DOWN.replace('tier: A', 'tier: A, other: ""'))),
  'a missing annotation': one(alert('4m', 'Down', DOWN.replace(", empty: ''", ''))),
  'an annotation that differs': one(alert('4m', 'Down', DOWN.replace('has 1', 'has 2'))),
  'alertname among the labels': one(alert('4m', 'Down', DOWN.replace('job: a', 'job: a, alertname: X'))),
  'an alert that no rule has': one(alert('4m', 'Nobody')),
  'several alerts in any order': one(
    alert('10m', 'Slow', '    exp_alerts:\n    - exp_labels: {q: b}\n    - exp_labels: {q: a}\n'),
  ).replace(
    '  input_series:',
    `  input_series:
  - {series: 'requests_total{q="a"}', values: '0+1x20'}
  - {series: 'requests_total{q="b"}', values: '0+2x20'}`,
  ),
  'several alerts, one missing': one(
    alert('10m', 'Slow', '    exp_alerts:\n    - exp_labels: {q: b}\n    - exp_labels: {q: c}\n'),
  ).replace(
    '  input_series:',
    `  input_series:
  - {series: 'requests_total{q="a"}', values: '0+1x20'}
  - {series: 'requests_total{q="b"}', values: '0+2x20'}`,
  ),
  'absent gives a label': one(
    alert('0', 'Limited', '    exp_alerts:\n    - exp_labels: {job: x, severity: info}\n'),
  ),
  'external labels and URL': one(
    alert('4m', 'Down', DOWN.replace('in ', 'in eu').replace("link: ''", 'link: http://x/')),
    '  external_labels: {dc: eu}\n  external_url: http://x/\n',
  ),
  'alerts as series': one(
    expr(
      'ALERTS{alertname="Down"}',
      '3m',
      `[{labels: 'ALERTS{alertname="Down", alertstate="pending", job="a", severity="page", tier="A"}', value: 1}]`,
    ),
  ),
  'the state as a series': one(
    expr(
      'ALERTS_FOR_STATE{alertname="Down"}',
      '3m',
      `[{labels: 'ALERTS_FOR_STATE{alertname="Down", job="a", severity="page", tier="A"}', value: 120}]`,
    ),
  ),
  'a recorded series': one(
    expr(
      'job:up:changes',
      '5m',
      `[{labels: 'job:up:changes{job="a", kind="flapping"}', value: 2},{labels: 'job:up:changes{job="b", kind="flapping"}', value: 0}]`,
    ),
  ),
  'a wrong value': one(
    expr(
      'job:up:sum',
      '0',
      `[{labels: 'job:up:sum{job="a"}', value: 3}, {labels: 'job:up:sum{job="b"}', value: 2}]`,
    ),
  ),
  'samples in order': one(
    expr(
      'up',
      '0',
      `[{labels: 'up{job="z"}', value: 1}, {labels: '{}', value: 2}, {labels: '{job="a"}', value: 2}]`,
    ),
  ),
  'a wrong name': one(expr('job:up:sum{job="a"}', '0', `[{labels: '{job="a"}', value: 2}]`)),
  'a scalar': one(expr('scalar(sum(up)) / 3', '0', '[{value: 1.3333333333333333}]')),
  'a scalar that differs in its last digit': one(
    expr('scalar(sum(up)) / 3', '0', '[{value: 1.3333333333333335}]'),
  ),
  'NaN is not equal': one(expr('vector(NaN)', '0', '[{labels: "{}", value: .nan}]')),
  'an infinity': one(expr('vector(-Inf)', '0', '[{value: -.inf}]')),
  'an infinity as a word': one(expr('vector(Inf)', '0', '[{value: Inf}]')),
  'a quoted number': one(expr('vector(1)', '0', '[{value: "1"}]')),
  'a large number': one(expr('vector(1)', '0', '[{value: 1.5e100}]')),
  'a number with underscores': one(expr('vector(1000)', '0', '[{value: 1_000}]')),
  'a negative zero': one(expr('vector(-0)', '0', '[{value: 0}]')),
  'empty labels': one(expr('vector(1)', '0', `[{labels: '{a=""}', value: 1}]`)),
  'the same labels twice': one(expr('vector(1)', '0', '[{value: 1}, {value: 1}]')),
  'labels that need escapes': one(
    expr('label_replace(vector(1), "a", "x\\\\\\\\y é", "", "")', '0', `[{labels: '{a="z"}', value: 1}]`),
  ),
  'labels that are none': one(expr('vector(1)', '0', `[{labels: 'up{', value: 1}]`)),
  'a range vector': one(expr('up[5m]', '0')),
  'a text': one(expr('"x"', '0')),
  'a broken expression': one(expr('sum(up', '0')),
  'an unknown function': one(expr('nope(up)', '0')),
  'many to many': one(expr('up * on (job) up', '0')),
  'an empty expression': one(expr('', '0')),
  'another evaluation interval': `evaluation_interval: 30s\n${one(alert('3m30s', 'Down', DOWN))}`,
  'another interval of samples': one(alert('2m', 'Down', DOWN), '', '30s'),
  'the other order': one(alert('4m', 'Down', DOWN)).replace('[first, second]', '[second, first]'),
  'the other order, a tick later': one(alert('5m', 'Down', DOWN)).replace(
    '[first, second]',
    '[second, first]',
  ),
  'a group twice in the order': one(alert('4m', 'Down', DOWN)).replace('[first, second]', '[first, first]'),
  'an alert without name': one('  alert_rule_test:\n  - eval_time: 1m\n'),
  'an unknown key': one(alert('4m', 'Down', DOWN)).replace('alertname', 'alert'),
  'a key twice': one(alert('4m', 'Down', `${DOWN}    eval_time: 4m\n`)),
  'a time that is none': one(alert('soon', 'Down')),
  'a time without unit': one(alert('60', 'Down')),
  'values that are none': one(alert('1m', 'Down')).replace("'1x20'", "'1y20'"),
  'no values': one(alert('1m', 'Down')).replace("'1x20'", "''"),
  'a series that is none': one(alert('1m', 'Down')).replace('up{job="b"}', 'sum(up)'),
  'a series with a regular expression': one(alert('1m', 'Down')).replace('up{job="b"}', 'up{job=~"b"}'),
  'a series twice': one(alert('1m', 'Down')).replace('up{job="b"}', 'up{job="a", i="1"}'),
  'a rule that fails': `rule_files: [rules.yaml, failing.yaml]\ngroup_eval_order: [first, second, failing]\ntests:\n- interval: 1m\n  input_series:${UP}\n${alert('2m', 'Down')}`,
  'a rule that fails later': `rule_files: [rules.yaml, failing.yaml]\ngroup_eval_order: [first, second, failing]\ntests:\n- name: later\n  interval: 1m\n  input_series:${UP.replaceAll("'1x20'", "'_ _ 1x20'").replace("'1 1 0x3", "'_ _ _ 0x3")}\n  alert_rule_test:\n  - {eval_time: 1m, alertname: Limited}\n  - {eval_time: 5m, alertname: Down}\n`,
  'not YAML': 'tests: [\n',
  'no mapping': '- a\n',
  empty: '',
  'two tests, one of which fails': `${one(alert('1m', 'Down'))}- name: other\n  interval: 1m\n  input_series:${UP}\n${alert('1m', 'Down', DOWN)}`,
};

/** What Prometheus 2.42 does not know or takes otherwise. */
export const CASES_V3: Readonly<Record<string, string>> = {
  'fuzzy: the last digit': `fuzzy_compare: true\n${one(expr('scalar(sum(up)) / 3', '0', '[{value: 1.3333333333333335}]'))}`,
  'fuzzy: the last two digits': `fuzzy_compare: true\n${one(expr('scalar(sum(up)) / 3', '0', '[{value: 1.3333333333333339}]'))}`,
  'a subquery steps by the evaluation interval': one(
    expr('count_over_time(up{job="b"}[5m:])', '10m30s', `[{labels: '{job="b"}', value: 5}]`),
  ),
  'no interval of samples': one(alert('4m', 'Down', DOWN)).replace('  interval: 1m\n', ''),
  'another start': `tests:
- start_timestamp: 2024-01-01T00:00:00Z
  input_series: [{series: x, values: 10+10x15}]
${expr('x @ 1704067320', '5m', '[{labels: x, value: 30}]')}  - {expr: time(), eval_time: 5m, exp_samples: [{value: 1704067500}]}
`,
  'another start in seconds': `tests:
- start_timestamp: 1704067200
${expr('time()', '5m', '[{value: 1704067500}]')}`,
  'a window that begins on a sample': one(
    expr('count_over_time(up{job="a", i="1"}[5m])', '10m', `[{labels: '{job="a", i="1"}', value: 5}]`),
  ),
  'a rule that fails after another start': `rule_files: [rules.yaml, failing.yaml]\ngroup_eval_order: [first, second, failing]\ntests:\n- start_timestamp: 90\n  input_series:${UP}\n${alert('2m', 'Down')}`,
};

export const FAILING_RULES = `groups:
- name: failing
  rules:
  - alert: Twice
    expr: up
    labels: {i: '', job: ''}
`;
