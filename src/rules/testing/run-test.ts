import { formatDuration } from '../../model/duration.ts';
import type { Position } from '../../model/errors.ts';
import type { Labels } from '../../model/labels.ts';
import { compile } from '../../promql/promql.ts';
import { quoteGo } from '../../promql/strings.ts';
import type { RuleGroup } from '../rule.ts';
import { alertMismatch, type Mismatch, sampleMismatch } from './compare.ts';
import { messageOf, type RuleTestFailure, type TestOutcome } from './outcome.ts';
import { alertListText, goDuration, sampleListText } from './print.ts';
import type { AlertCase, ExpressionCase, RuleTest, TestFile } from './read.ts';
import { seriesLabels, TestWorld } from './world.ts';

/** Ticks of one test, evaluations and input samples together, beyond which it is refused. */
const MAX_TICKS = 1_000_000;

/** Runs one test: the rules at every evaluation, alerts compared in between and expressions at the end. */
export function runTest(test: RuleTest, file: TestFile, groups: readonly RuleGroup[]): TestOutcome {
  const failures: RuleTestFailure[] = [];
  const { evaluationIntervalMs, fuzzy } = file;
  const cases = [...test.alerts, ...test.expressions];
  const done = (): TestOutcome => ({ name: test.title, cases: cases.length, failures });
  const end = Math.max(0, ...cases.map(({ atMs }) => atMs));
  const ticks = end / evaluationIntervalMs + Math.max(0, ...test.series.map(({ values }) => values.length));
  const fault =
    faultOf(test) ?? (ticks > MAX_TICKS ? { message: `    more than ${MAX_TICKS} ticks` } : undefined);
  if (fault !== undefined) {
    failures.push({ position: undefined, ...fault });
    return done();
  }
  const world = new TestWorld(test, groups, { maxTicks: Math.ceil(ticks) + 2, evaluationIntervalMs });
  const pending = test.alerts.toSorted((a, b) => a.atMs - b.atMs);
  for (let at = 0; at <= end; at += evaluationIntervalMs) {
    const errors = world.tick(at);
    for (const { rule, message } of errors) {
      const time = goDuration(test.startMs + at);
      failures.push({ position: undefined, message: `    rule: ${rule}, time: ${time}, err: ${message}` });
    }
    if (errors.length > 0) return done();
    while (pending[0] !== undefined && pending[0].atMs < at + evaluationIntervalMs)
      failures.push(...compareAlerts(pending.shift()!, test.name, world));
  }
  for (const own of test.expressions) failures.push(...compareSamples(own, world, fuzzy));
  return done();
}

/** What keeps a test from being run at all. */
function faultOf({ name, alerts, series }: RuleTest): { message: string; position: Position } | undefined {
  const nameless = alerts.find((alert) => alert.name === '');
  if (nameless !== undefined) {
    const where = name === '' ? '' : ` (in TestGroup ${name})`;
    const time = formatDuration(nameless.atMs);
    const message = `    an item under alert_rule_test misses required attribute alertname at eval_time ${time}${where}`;
    return { message, position: nameless.position };
  }
  for (const { series: text, position } of series) {
    try {
      seriesLabels(text);
    } catch (error) {
      return { message: `    ${messageOf(error)}`, position };
    }
  }
  return undefined;
}

function compareAlerts({ name, expected, atMs, position }: AlertCase, test: string, world: TestWorld) {
  const mismatch = alertMismatch(name, expected, world.firing(name));
  if (mismatch === undefined) return [];
  const first = test === '' ? '' : `    name: ${test},\n`;
  const about = `${first}    alertname: ${name}, time: ${formatDuration(atMs)}, `;
  const texts = [mismatch.expected, mismatch.got].map(alertListText);
  return [
    {
      position,
      message: `${about}\n        exp:${texts[0]}, \n        got:${texts[1]}`,
      mismatch: { ...mismatch, about },
    },
  ];
}

function compareSamples(
  { expr, atMs, expected, position }: ExpressionCase,
  world: TestWorld,
  fuzzy: boolean,
) {
  const about = `    expr: ${quoteGo(expr)}, time: ${formatDuration(atMs)},`;
  let mismatch: Mismatch | undefined;
  try {
    const got = world.query(compile(expr), atMs);
    const wanted = expected.map(({ labels, value }) => ({ labels: expectedLabels(labels), value }));
    mismatch = sampleMismatch(wanted, got, fuzzy);
  } catch (error) {
    return [{ position, message: `${about} err: ${messageOf(error)}` }];
  }
  if (mismatch === undefined) return [];
  const texts = [mismatch.expected, mismatch.got].map(sampleListText);
  return [
    {
      position,
      message: `${about}\n        exp: ${texts[0]}\n        got: ${texts[1]}`,
      mismatch: { ...mismatch, about },
    },
  ];
}

function expectedLabels(text: string): Labels {
  if (text === '') return {};
  try {
    return seriesLabels(text);
  } catch (error) {
    throw new Error(`labels ${quoteGo(text)}: ${messageOf(error)}`);
  }
}
