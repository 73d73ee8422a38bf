import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { expandTemplate, parseTemplate, TemplateSyntaxError } from '../../src/rules/template.ts';
import { promtool, promtoolMissing } from './promtool.ts';
import { MALFORMED, TEMPLATES } from './templates.ts';

const FOO = ['i1', 'i0'].map((instance) => ({
  labels: { __name__: 'foo', instance, job: 'j' },
  value: instance === 'i1' ? 3.25 : 7,
}));

function expand(text: string, value = 3.25): string {
  const query = (expr: string) => {
    if (expr === '§') throw new Error('parse error');
    return expr === 'foo' ? FOO : [];
  };
  const environment = { now: 60_000, externalUrl: 'http://host/prefix', query };
  return expandTemplate(
    parseTemplate(text),
    { labels: FOO[0]!.labels, externalLabels: { dc: 'x' }, value },
    environment,
  );
}

test('templates expand as written down', () => {
  for (const [text, wanted] of Object.entries(TEMPLATES)) {
    if (wanted === undefined) assert.match(expand(text), /^<error expanding template: .+>$/s, text);
    else assert.equal(expand(text), wanted, text);
  }
});

test('and as Prometheus expands them', { skip: promtoolMissing() }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'taskwarden-template-'));
  try {
    const texts = Object.keys(TEMPLATES);
    const rules = texts.map((a, i) => ({ alert: `A${i}`, expr: 'foo{instance="i1"}', annotations: { a } }));
    writeFileSync(join(folder, 'rules.yaml'), JSON.stringify({ groups: [{ name: 'g', rules }] }));
    const series = FOO.map(({ labels, value }) => ({
      series: `foo{instance="${labels.instance}",job="j"}`,
      values: `${value} ${value}`,
    }));
    const test = {
      interval: '1m',
      external_labels: { dc: 'x' },
      input_series: series,
      // Nothing is expected rightly, so that promtool prints what it got.
      alert_rule_test: texts.map((_, i) => ({
        alertname: `A${i}`,
        eval_time: '1m',
        exp_alerts: [{ exp_annotations: { a: '?' } }],
      })),
    };
    writeFileSync(join(folder, 'test.yaml'), JSON.stringify({ rule_files: ['rules.yaml'], tests: [test] }));
    const { output } = promtool('test', 'rules', join(folder, 'test.yaml'));
    const shape =
      /alertname: A(\d+), time: 1m,[\s\S]*?got:\[\s*0:\s*Labels:.*\s*Annotations:\{a=("(?:[^"\\]|\\.)*")\}/g;
    const got = new Map(
      [...output.matchAll(shape)].map(([, at, text]) => [Number(at), JSON.parse(text!) as string]),
    );
    assert.equal(got.size, texts.length, output);
    texts.forEach((text, at) => {
      const wanted = TEMPLATES[text];
      const theirs = got.get(at)!;
      if (wanted === undefined) assert.match(theirs, /^<error expanding template: /, text);
      else assert.equal(theirs, wanted, text);
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a malformed template is refused, and its place told', () => {
  for (const [text, offset] of Object.entries(MALFORMED)) {
    assert.throws(
      () => parseTemplate(text),
      (error) => error instanceof TemplateSyntaxError && error.offset === offset,
      `${text} at ${offset}`,
    );
  }
  assert.throws(
    () => parseTemplate(`${'{{ if true }}'.repeat(200)}${'{{ end }}'.repeat(200)}`),
    /nested too deeply/,
  );
  assert.throws(() => parseTemplate(`{{ ${'('.repeat(5000)}1${')'.repeat(5000)} }}`), /nested too deeply/);
});

test('what Prometheus has had only since version 3', () => {
  assert.equal(expand('{{ now }} {{ externalURL }} {{ pathPrefix }}'), '60 http://host/prefix /prefix');
  assert.equal(
    expand('{{ toDuration 3600 }} {{ toDuration 0.0015 }} {{ toDuration 90.5 }}'),
    '1h0m0s 1.5ms 1m30.5s',
  );
  assert.equal(expand('{{ urlQueryEscape "a b/(c)" }}'), 'a+b%2F%28c%29');
  assert.equal(expand('{{ title "it\'s" }}'), "It's");
});

test('values that are no number print as Go prints them', () => {
  for (const [value, wanted] of [
    [Infinity, '+Inf'],
    [-Infinity, '-Inf'],
    [Number.NaN, 'NaN'],
  ] as const) {
    for (const how of [
      '$value',
      'humanize $value',
      'humanize1024 $value',
      'humanizeDuration $value',
      'printf "%.2f" $value',
    ])
      assert.equal(expand(`{{ ${how} }}`, value), wanted);
  }
  assert.equal(expand('{{ $value }}', -0), '-0');
});

test('a template cannot run for ever, nor fill the memory', () => {
  assert.match(
    expand('{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}'),
    /maximum template depth/,
  );
  const loops = '{{ range query "foo" }}'.repeat(20) + 'x'.repeat(100) + '{{ end }}'.repeat(20);
  assert.match(expand(loops), /more than \d+ (steps|characters)/);
  assert.match(expand('{{ printf "%99999999d" 1 }}'), /BADWIDTH/);
});

test('functions that Debian’s promtool does not know or cannot show', () => {
  const wanted = {
    '{{ query "foo" | first | strvalue }}|': '|',
    '{{ pathPrefix }} {{ externalURL }} {{ $externalURL }}': '/prefix http://host/prefix http://host/prefix',
    '{{ now }} {{ toDuration 90.5 }} {{ (toTime 60.0) }}': '60 1m30.5s 1970-01-01 00:01:00 +0000 UTC',
    '{{ urlQueryEscape "a b&c" }}': 'a+b%26c',
  };
  for (const [text, expanded] of Object.entries(wanted)) assert.equal(expand(text), expanded, text);
});
