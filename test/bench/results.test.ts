import assert from 'node:assert/strict';
import { test } from 'node:test';
import { figure } from '../../bench/lib/figure.ts';
import { cpuTime, machine } from '../../bench/lib/machine.ts';
import { replaceSection, section } from '../../bench/lib/results.ts';

test('a section is replaced in its place, and the others stay', () => {
  const document = '# Title\n\nIntro.\n\n## overhead\n\nold\n\n## detection\n\nkept\n';
  assert.equal(
    replaceSection(document, 'overhead', '## overhead\n\nnew\n'),
    '# Title\n\nIntro.\n\n## overhead\n\nnew\n\n## detection\n\nkept\n',
  );
});

test('a new section comes last, and writing it again changes nothing', () => {
  const once = replaceSection('# Title\n', 'rules', '## rules\n\nfigures\n');
  assert.equal(once, '# Title\n\n## rules\n\nfigures\n');
  assert.equal(replaceSection(once, 'rules', '## rules\n\nfigures\n'), once);
});

test('a section whose name begins like another is not taken for it', () => {
  const document = '## rules-long\n\na\n';
  assert.equal(replaceSection(document, 'rules', '## rules\n\nb\n'), '## rules-long\n\na\n\n## rules\n\nb\n');
});

test('single cases have a section of their own, until the whole bench is run', () => {
  const whole = '## rules\n\nall\n';
  const both = replaceSection(whole, 'rules: tick, memory', '## rules: tick, memory\n\ntwo\n');
  assert.equal(both, '## rules\n\nall\n\n## rules: tick, memory\n\ntwo\n');
  assert.equal(replaceSection(both, 'rules', whole), whole);
});

test('a section names machine, Node version and date', () => {
  const one = figure('detection', {
    case: 'block',
    metric: 'alert_delay_s',
    unit: 's',
    value: 1.04,
    n: 12,
    goal: { value: 1.1, better: 'lower' },
  });
  const text = section('detection', [one], ['A note.'], new Date('2026-11-24T12:00:00Z'));
  assert.ok(
    text.startsWith(`## detection\n\n${machine()}; Node ${process.versions.node}; 2026-11-24. A note.\n`),
  );
  assert.match(text, /\| block +\| alert_delay_s +\| 1\.04 s +\| +\| +\| 1\.1 +\| ok +\|/);
});

test('CPU time of the machine: idle and waiting for I/O are not busy, guest time is not counted twice', () => {
  const stat = 'cpu  100 20 30 400 50 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n';
  assert.deepEqual(cpuTime(stat), { busy: 171, total: 621 });
});
