import type { Sample } from '../../src/model/queryable.ts';
import { evaluateInstant } from '../../src/promql/evaluate.ts';
import { Memo } from '../../src/promql/memo.ts';
import { compile, type Expression } from '../../src/promql/promql.ts';
import { parseRuleFile } from '../../src/rules/load.ts';
import { createRuleManager, type RuleManager } from '../../src/rules/manager.ts';
import type { Rule, RuleGroup } from '../../src/rules/rule.ts';
import { SeriesStore } from '../../src/store/series-store.ts';
import { ruleFile } from './mix.ts';
import { STEP_MS, type SyntheticSeries, syntheticSeries } from './series.ts';

/** Ticks that the store keeps: a quarter of an hour. */
export const RETENTION_TICKS = 180;
/** Series beside those that are fed: what recording rules make, and alerts. */
const ROOM = 20_000;

/** Store and rules put together as the agent has them, fed with {@link syntheticSeries}. */
export class Engine {
  readonly store: SeriesStore;
  readonly groups: readonly RuleGroup[];
  readonly #rules: RuleManager;
  readonly #series: readonly SyntheticSeries[];
  #ids: number[] | undefined;
  readonly #values: Float64Array;
  readonly #memo = new Memo();
  readonly #errors: string[] = [];

  /** @param of other series and rules than the made-up ones of {@link syntheticSeries} and {@link ruleFile} */
  constructor(
    tasks: number,
    copies: number,
    of?: { series: readonly SyntheticSeries[]; groups: readonly RuleGroup[] },
  ) {
    this.#series = of?.series ?? syntheticSeries(tasks);
    this.#values = new Float64Array(this.#series.length);
    this.store = new SeriesStore({ maxSeries: this.#series.length + ROOM, maxTicks: RETENTION_TICKS });
    const made = parseRuleFile(of === undefined ? ruleFile(copies) : '', 'bench.yaml', compile);
    if (made.errors[0] !== undefined) throw made.errors[0];
    const groups = of?.groups ?? made.groups;
    this.groups = groups;
    this.#rules = createRuleManager({
      groups,
      compile,
      query: (expression, t) => this.query(expression as Expression, t),
      append: (t, samples) => this.store.append(t, samples),
      stale: (_t, labels) => this.store.markStale(this.store.series(labels)),
      runsFor: () => [],
      notify: () => {},
      onError: (error, { rule }) => this.#errors.push(`${rule}: ${error}`),
    });
  }

  /** Makes the values of a time; not a part of what is measured. */
  prepare(t: number): void {
    for (const [at, series] of this.#series.entries()) this.#values[at] = series.at(t / 1000);
  }

  /** Takes the prepared values in as of `t`, ms. */
  insert(t: number): void {
    this.store.tick(t);
    this.#ids ??= this.#series.map(({ labels }) => this.store.series(labels));
    for (let at = 0; at < this.#ids.length; at++) this.store.set(this.#ids[at]!, this.#values[at]!);
  }

  /** Evaluates every rule at `t`, ms. @throws Error when one fails or does not happen: the figures would mean nothing. */
  evaluate(t: number): void {
    const { failed, missed } = this.#rules.evaluate(t);
    this.#memo.clear();
    if (failed > 0 || missed > 0) throw new Error(`${failed} failed, ${missed} missed: ${this.#errors[0]}`);
  }

  rules(): Rule[] {
    return this.groups.flatMap(({ rules }) => rules);
  }

  /** Lets nothing that was computed serve the next query. */
  moment(): void {
    this.#memo.clear();
  }

  query(expression: Expression, t: number): readonly Sample[] {
    const value = evaluateInstant(expression, this.store, t, { memo: this.#memo });
    if (value.type === 'scalar') return [{ labels: {}, value: value.value }];
    return value.type === 'vector' ? value.samples : [];
  }

  /** Fills the store up to `t`, exclusive; rules are evaluated at every tick, as they would have been. */
  fill(t: number, evaluate = true): void {
    for (let at = t - RETENTION_TICKS * STEP_MS; at < t; at += STEP_MS) {
      this.prepare(at);
      this.insert(at);
      if (evaluate) this.evaluate(at);
    }
  }

  /** Pending and firing alerts, and those that fire. */
  alerts(): { active: number; firing: number } {
    const active = this.#rules.alerts();
    return { active: active.length, firing: active.filter(({ state }) => state === 'firing').length };
  }
}
