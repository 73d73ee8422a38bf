import type { Config } from '../config/config.ts';
import type { ActiveAlert, AlertTransition, RunReference } from '../model/alert.ts';
import { monotonicMs, wallClock } from '../model/clock.ts';
import type { Labels } from '../model/labels.ts';
import type { Queryable, Sample } from '../model/queryable.ts';
import type { ResourceAttributes } from '../otlp/resource.ts';
import { evaluateInstant } from '../promql/evaluate.ts';
import { Memo } from '../promql/memo.ts';
import { compile, type Expression } from '../promql/promql.ts';
import { timeLimit } from '../promql/time-limit.ts';
import { createRuleManager, type EvaluationSummary, type RuleManager } from '../rules/manager.ts';
import type { RuleGroup } from '../rules/rule.ts';
import type { RuleGroupView } from '../rules/view.ts';
import type { Registry } from '../store/registry.ts';
import { SeriesStore } from '../store/series-store.ts';
import { blockMarks, type Threshold } from './blocks/marks.ts';
import type { Guard } from './guard.ts';
import type { Subject } from './notable-runs.ts';
import { Concerned, isUrgent, type Occasion, URGENT, type UrgentOccasion } from './occasions.ts';
import { RuleFiles } from './rule-files.ts';
import type { RuleSources } from './rule-sources.ts';
import type { RuleState } from './rule-state.ts';
import { Scraper } from './scrape.ts';
import { Subjects } from './subjects.ts';

export interface AlertingOptions {
  readonly config: Config;
  readonly registry: Registry;
  readonly resource: ResourceAttributes;
  readonly sources: RuleSources;
  readonly guard: Guard;
  readonly runsFor: (labels: Labels, about: Subject) => RunReference[];
  /** Called for every change of an alert's state. */
  readonly onAlert: (transition: AlertTransition) => void;
  /** Where alerts outlive the process; without one they do not. */
  readonly state?: RuleState | undefined;
  /** Tells of rule files that were read again, or could not be. */
  readonly say?: (level: 'warn' | 'info', text: string) => void;
  /** A clock that is never set, ms. */
  readonly elapsed?: () => number;
}

/** Time between two ticks after which alerts did not wait in it, ms, and in steps of the store. */
const OUTAGE_MS = 60_000;
const OUTAGE_STEPS = 3;

/** What one query of a rule may take, ms: the agent's thread has more to do. */
const QUERY_LIMIT_MS = 1000;

/** The history of every metric, and the rules over it. */
export class Alerting {
  readonly #registry: Registry;
  readonly #store: SeriesStore;
  readonly #scraper: Scraper;
  readonly #rules: RuleManager;
  readonly #memo = new Memo();
  readonly #files: RuleFiles;
  readonly #state: RuleState | undefined;
  readonly #guard: Guard;
  readonly #say: (level: 'warn' | 'info', text: string) => void;
  readonly #elapsed: () => number;
  readonly #threshold: Threshold;
  #blockMarks: readonly number[];
  #concerned: Readonly<Record<UrgentOccasion, Concerned>>;
  #subjects: Subjects;
  #dropped = 0;
  #isSlow = false;

  /** @throws TaskwardenError for a rule file that cannot be used */
  constructor(options: AlertingOptions) {
    const { config, registry, sources, guard, state, say = () => {}, elapsed = monotonicMs } = options;
    const { step, retention, maxSeries } = config.store;
    this.#registry = registry;
    this.#guard = guard;
    this.#state = state;
    this.#say = say;
    this.#elapsed = elapsed;
    this.#store = new SeriesStore({ maxSeries, maxTicks: Math.ceil(retention / step) });
    const target = targetLabels(options.resource);
    this.#scraper = new Scraper(registry, this.#store, target);
    this.#files = new RuleFiles({
      sources,
      own: config.rules,
      cwd: config.cwd,
      registry,
      guard,
      say,
      now: wallClock,
    });
    const isSet = config.sources['watch.threshold'] !== undefined;
    this.#threshold = { threshold: config.watch.threshold, isSet };
    const groups = this.#files.read();
    this.#blockMarks = blockMarks(groups, this.#threshold);
    this.#concerned = concernedBy(groups);
    this.#subjects = new Subjects(groups);
    this.#rules = createRuleManager({
      groups,
      compile,
      externalLabels: { ...config.externalLabels, ...target },
      ...(config.externalUrl !== '' && { externalUrl: config.externalUrl }),
      query: (expression, t) => this.#query(expression as Expression, t),
      append: (t, samples) => this.#store.append(t, samples),
      stale: (_t, labels) => this.#store.markStale(this.#store.series(labels)),
      runsFor: (labels, rule) => options.runsFor(labels, this.#subjects.of(rule)),
      notify: options.onAlert,
      elapsed,
      budgetMs: config.rulesBudget,
      outageMs: Math.max(OUTAGE_MS, OUTAGE_STEPS * step),
      onError: (error, { rule, step }) => {
        guard(`rule ${rule} (${step})`, () => {
          throw error;
        });
      },
    });
    guard('alert state', () => this.#rules.restore(state?.claim(wallClock())));
    if (config.rulesReload) this.#files.watch(() => this.reload());
  }

  /** Samples at `t`, ms since the Unix epoch, what the occasion has changed, and evaluates the rules that it concerns. */
  tick(t: number, occasion: Occasion): void {
    const started = performance.now();
    this.#registry.set('taskwarden.series', {}, this.#store.size);
    this.#registry.add('taskwarden.series.dropped', {}, this.#store.droppedSamples - this.#dropped);
    this.#dropped = this.#store.droppedSamples;
    const { succeeded, failed, missed, deferred } = this.#evaluate(t, occasion);
    this.#memo.clear();
    const count = (outcome: string, n: number): void =>
      this.#registry.add('taskwarden.rules.evaluations', { outcome }, n);
    count('success', succeeded);
    count('failure', failed);
    count('missed', missed);
    count('deferred', deferred);
    if (deferred > 0 && !this.#isSlow) {
      this.#isSlow = true;
      this.#say(
        'warn',
        `rules take longer than rules_budget: ${deferred} rules were put off to the next tick`,
      );
    }
    this.#registry.set('taskwarden.rules.evaluation.duration', {}, (performance.now() - started) / 1000);
    if (!isUrgent(occasion)) this.#save(false);
  }

  /** Reads the rule files again: alerts of rules that are the same go on. Files that cannot be used change nothing. */
  reload(): void {
    this.#guard('rules reload', () => {
      const groups = this.#files.readAgain();
      if (groups === undefined) return;
      this.#subjects = new Subjects(groups);
      this.#rules.reload(groups);
      this.#blockMarks = blockMarks(groups, this.#threshold);
      this.#concerned = concernedBy(groups);
    });
  }

  /** The process ends: what its successor wants to know is written. */
  flush(): void {
    this.#save(true);
  }

  /** The history of every series, for queries. */
  get queryable(): Queryable {
    return this.#store;
  }

  /** Lengths of a block of the event loop at which rules want to be evaluated, ascending, ms. */
  get blockMarks(): readonly number[] {
    return this.#blockMarks;
  }

  /** Pending and firing alerts. */
  alerts(): ActiveAlert[] {
    return this.#rules.alerts();
  }

  /** Every rule group with its rules, their health and their alerts: a copy of the moment. */
  describe(): RuleGroupView[] {
    return this.#rules.describe();
  }

  #evaluate(t: number, occasion: Occasion): EvaluationSummary {
    if (isUrgent(occasion)) {
      this.#scraper.scrape(t, URGENT[occasion]);
      return this.#rules.evaluateOnly(t, this.#concerned[occasion].has);
    }
    this.#scraper.scrape(t);
    return this.#rules.evaluate(t, { force: occasion === 'all' });
  }

  #save(last: boolean): void {
    this.#guard('alert state', () => this.#state?.save(monotonicMs(), () => this.#rules.snapshot(), last));
  }

  #query(expression: Expression, t: number): readonly Sample[] {
    const onTaken = timeLimit(this.#elapsed, QUERY_LIMIT_MS);
    const value = evaluateInstant(expression, this.#store, t, { memo: this.#memo, onTaken });
    if (value.type === 'scalar') return [{ labels: {}, value: value.value }];
    return value.type === 'vector' ? value.samples : [];
  }
}

function concernedBy(groups: readonly RuleGroup[]): Record<UrgentOccasion, Concerned> {
  return { block: new Concerned(groups, URGENT.block), memory: new Concerned(groups, URGENT.memory) };
}

/** `job` and `instance`, as Prometheus makes them of an OTLP resource. */
export function targetLabels(resource: ResourceAttributes): Labels {
  const name = String(resource['service.name']);
  const namespace = resource['service.namespace'];
  return {
    job: namespace === undefined ? name : `${namespace}/${name}`,
    instance: String(resource['service.instance.id']),
  };
}
