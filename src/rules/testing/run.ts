import { dirname, resolve } from 'node:path';
import type { Position } from '../../model/errors.ts';
import { TaskwardenError } from '../../model/errors.ts';
import type { Labels } from '../../model/labels.ts';
import type { Sample } from '../../model/queryable.ts';
import { compile, type Expression, evaluateInstant } from '../../promql/promql.ts';
import { SeriesStore } from '../../store/series-store.ts';
import { loadRuleFiles, readRuleFile } from '../load.ts';
import { createRuleManager, type RuleManager } from '../manager.ts';
import type { RuleGroup } from '../rule.ts';
import { YamlReader } from '../yaml-reader.ts';
import { alertDifference, sampleDifference } from './compare.ts';
import { type ExpressionCase, type RuleTest, readTestFile, type TestFile } from './read.ts';
import type { InputValue } from './values.ts';

/** What one file of tests came to. */
export interface RuleTestOutcome {
  readonly file: string;
  /** Alert and expression cases that were compared. */
  readonly cases: number;
  readonly failures: readonly RuleTestFailure[];
}

export interface RuleTestFailure {
  /** Name of the test; empty where it has none, or the file itself is wrong. */
  readonly test: string;
  readonly position: Position | undefined;
  readonly message: string;
}

/** Ticks of one test, evaluations and input samples together, beyond which it is refused. */
const MAX_TICKS = 1_000_000;
const MAX_SERIES = 100_000;

/**
 * Runs a file of rule tests in promtool's format, with PromQL of Prometheus 3. Native histograms are not supported.
 * Rule files are found relative to the test file. Never throws for what is wrong with the files: that is a failure.
 */
export function runRuleTests(file: string, cwd = '.'): RuleTestOutcome {
  try {
    const reader = new YamlReader(readRuleFile(file, cwd), file);
    const root = reader.root();
    const tests = root === undefined ? undefined : readTestFile(reader, root);
    const failures = reader.errors.map(fromError);
    if (tests === undefined || failures.length > 0) return { file, cases: 0, failures };
    const folder = dirname(resolve(cwd, file));
    const { groups, unmatched } = loadRuleFiles(tests.ruleFiles, compile, folder);
    if (unmatched[0] !== undefined)
      throw new TaskwardenError('TASKWARDEN_FILE', `${unmatched[0]}: no file matches`, { file });
    const outcomes = tests.tests.map((test) => runTest(test, tests, ordered(groups, tests.groupOrder)));
    return {
      file,
      cases: outcomes.reduce((sum, outcome) => sum + outcome.cases, 0),
      failures: outcomes.flatMap((outcome) => outcome.failures),
    };
  } catch (error) {
    return { file, cases: 0, failures: [fromError(error)] };
  }
}

function runTest(test: RuleTest, { evaluationIntervalMs, fuzzy }: TestFile, groups: readonly RuleGroup[]) {
  const failures: RuleTestFailure[] = [];
  const fail = (message: string, position?: Position) =>
    failures.push({ test: test.name, position, message });
  const end = Math.max(0, ...[...test.alerts, ...test.expressions].map(({ atMs }) => atMs));
  const cases = test.alerts.length + test.expressions.length;
  const ticks = end / evaluationIntervalMs + Math.max(0, ...test.series.map(({ values }) => values.length));
  if (ticks > MAX_TICKS) {
    fail(`more than ${MAX_TICKS} ticks`);
    return { cases, failures };
  }
  const world = new TestWorld(test, groups, Math.ceil(ticks) + 2, fail);
  const pending = test.alerts.toSorted((a, b) => a.atMs - b.atMs);
  for (let at = 0; at <= end && failures.length === 0; at += evaluationIntervalMs) {
    world.tick(at);
    while (pending[0] !== undefined && pending[0].atMs < at + evaluationIntervalMs) {
      const { name, expected, atMs, position } = pending.shift()!;
      const difference = alertDifference(name, expected, world.firing(name));
      if (difference !== undefined) world.note(`alert ${name} at ${atMs / 1000}s: ${difference}`, position);
    }
  }
  if (failures.length === 0) for (const own of test.expressions) world.compare(own, fuzzy);
  return { cases, failures: [...failures, ...world.notes] };
}

/** The store and the rules of one test. */
class TestWorld {
  /** Cases that came out otherwise; unlike errors they do not end the test. */
  readonly notes: RuleTestFailure[] = [];
  readonly #test: RuleTest;
  readonly #store: SeriesStore;
  readonly #rules: RuleManager;
  readonly #input: readonly { readonly labels: Labels; readonly values: readonly InputValue[] }[];
  #loaded = 0;

  constructor(
    test: RuleTest,
    groups: readonly RuleGroup[],
    maxTicks: number,
    fail: (message: string, position?: Position) => void,
  ) {
    this.#test = test;
    this.#store = new SeriesStore({ maxSeries: MAX_SERIES, maxTicks });
    this.#input = test.series.flatMap(({ series, values, position }) => {
      const labels = seriesLabels(series);
      if (labels === undefined) fail(`"${series}" is no series`, position);
      return labels === undefined ? [] : { labels, values };
    });
    this.#rules = createRuleManager({
      groups,
      compile,
      externalLabels: test.externalLabels,
      ...(test.externalUrl !== '' && { externalUrl: test.externalUrl }),
      query: (expression, t) => this.#query(expression as Expression, t),
      append: this.#store.append,
      stale: (_, labels) => this.#store.markStale(this.#store.series(labels)),
      notify: () => {},
      runsFor: () => [],
      onError: (error, { rule }) => fail(`rule ${rule}: ${messageOf(error)}`),
    });
  }

  /** Loads the samples up to `at`, ms since the start of the test, and evaluates every group. */
  tick(at: number): void {
    const { intervalMs, startMs } = this.#test;
    const longest = Math.max(0, ...this.#input.map(({ values }) => values.length));
    for (; this.#loaded < longest && this.#loaded * intervalMs <= at; this.#loaded++) {
      this.#store.tick(startMs + this.#loaded * intervalMs);
      for (const { labels, values } of this.#input) {
        const value = values[this.#loaded];
        if (value === 'stale') this.#store.markStale(this.#store.series(labels));
        else if (value !== undefined) this.#store.set(this.#store.series(labels), value);
      }
    }
    this.#store.tick(startMs + at);
    this.#rules.evaluate(startMs + at, { force: true });
  }

  firing(name: string) {
    return this.#rules.alerts().filter((alert) => alert.state === 'firing' && alert.name === name);
  }

  compare({ expr, atMs, expected, position }: ExpressionCase, fuzzy: boolean): void {
    const place = `${expr} at ${atMs / 1000}s`;
    try {
      const wanted = expected.map(({ labels, value }) => {
        const own = labels === '' ? {} : seriesLabels(labels);
        if (own === undefined) throw new Error(`"${labels}" is no series`);
        return { labels: own, value };
      });
      const got = this.#query(compile(expr), this.#test.startMs + atMs);
      const difference = sampleDifference(wanted, got, fuzzy);
      if (difference !== undefined) this.note(`${place}: ${difference}`, position);
    } catch (error) {
      this.note(`${place}: ${messageOf(error)}`, position);
    }
  }

  note(message: string, position: Position): void {
    this.notes.push({ test: this.#test.name, position, message });
  }

  #query(expression: Expression, t: number): Sample[] {
    const value = evaluateInstant(expression, this.#store, t);
    if (value.type === 'vector') return value.samples;
    if (value.type === 'scalar') return [{ labels: {}, value: value.value }];
    throw new Error(`rule result is neither a vector nor a scalar but a ${value.type}`);
  }
}

/** `up{job="x"}` as labels; undefined when the text is anything else. */
function seriesLabels(text: string): Labels | undefined {
  try {
    const { node } = compile(text);
    if (node.kind !== 'selector' || node.matchers.some(({ type }) => type !== '=')) return undefined;
    return Object.fromEntries(node.matchers.map(({ name, value }) => [name, value]));
  } catch (error) {
    if (error instanceof TaskwardenError) return undefined;
    throw error;
  }
}

/** Groups that the order does not name come first. */
function ordered(groups: readonly RuleGroup[], order: readonly string[]): RuleGroup[] {
  return groups.toSorted((a, b) => order.indexOf(a.name) - order.indexOf(b.name));
}

function fromError(error: unknown): RuleTestFailure {
  const position = error instanceof TaskwardenError ? error.position : undefined;
  return { test: '', position, message: messageOf(error) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
