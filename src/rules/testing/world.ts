import type { Labels } from '../../model/labels.ts';
import type { Sample } from '../../model/queryable.ts';
import { parse } from '../../promql/parser.ts';
import { compile, type Expression, evaluateInstant } from '../../promql/promql.ts';
import { quoteGo } from '../../promql/strings.ts';
import { SeriesStore } from '../../store/series-store.ts';
import { createRuleManager, type RuleManager } from '../manager.ts';
import type { RuleGroup } from '../rule.ts';
import { messageOf } from './outcome.ts';
import type { RuleTest } from './read.ts';
import type { InputValue } from './values.ts';

const MAX_SERIES = 100_000;

interface RuleError {
  readonly rule: string;
  readonly message: string;
}

/** The store and the rules of one test. */
export class TestWorld {
  readonly #test: RuleTest;
  readonly #store: SeriesStore;
  readonly #rules: RuleManager;
  readonly #evaluationIntervalMs: number;
  readonly #input: readonly { readonly labels: Labels; readonly values: readonly InputValue[] }[];
  #errors: RuleError[] = [];
  #loaded = 0;

  /** @throws TaskwardenError or Error when an input series is none. */
  constructor(
    test: RuleTest,
    groups: readonly RuleGroup[],
    options: { readonly maxTicks: number; readonly evaluationIntervalMs: number },
  ) {
    this.#test = test;
    this.#evaluationIntervalMs = options.evaluationIntervalMs;
    this.#store = new SeriesStore({ maxSeries: MAX_SERIES, maxTicks: options.maxTicks });
    this.#input = test.series.map(({ series, values }) => ({ labels: seriesLabels(series), values }));
    this.#rules = createRuleManager({
      groups,
      compile,
      externalLabels: test.externalLabels,
      externalUrl: test.externalUrl,
      query: (expression, t) => this.#query(expression as Expression, t),
      append: this.#store.append,
      stale: (_, labels) => this.#store.markStale(this.#store.series(labels)),
      notify: () => {},
      runsFor: () => [],
      onError: (error, { rule }) => this.#errors.push({ rule, message: messageOf(error) }),
    });
  }

  /** Loads the samples up to `at`, ms since the start of the test, and evaluates every group; gives the rules that failed. */
  tick(at: number): readonly RuleError[] {
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
    this.#errors = [];
    this.#rules.evaluate(startMs + at, { force: true });
    return this.#errors;
  }

  firing(name: string) {
    return this.#rules.alerts().filter((alert) => alert.state === 'firing' && alert.name === name);
  }

  /** @throws TaskwardenError or Error when the expression gives neither samples nor a number. */
  query(expression: Expression, at: number): Sample[] {
    return this.#query(expression, this.#test.startMs + at);
  }

  #query(expression: Expression, t: number): Sample[] {
    const value = evaluateInstant(expression, this.#store, t, { subqueryStepMs: this.#evaluationIntervalMs });
    if (value.type === 'vector') return [...value.samples];
    if (value.type === 'scalar') return [{ labels: {}, value: value.value }];
    throw new Error('rule result is not a vector or scalar');
  }
}

/**
 * `up{job="x"}` as labels. Empty ones go where there is a name and stay where there is none, as in Prometheus.
 * @throws TaskwardenError or Error when the text is anything else.
 */
export function seriesLabels(text: string): Labels {
  const node = parse(text);
  if (node.kind !== 'selector' || node.matchers.some(({ type }) => type !== '='))
    throw new Error(`${quoteGo(text)} is no series`);
  const named = node.name !== undefined;
  const kept = node.matchers.filter(({ value }) => value !== '' || !named);
  return Object.fromEntries(kept.map(({ name, value }) => [name, value]));
}
