import type { ActiveAlert, Notify } from '../model/alert.ts';
import type { Labels } from '../model/labels.ts';
import { GroupRunner, type RulePorts } from './group.ts';
import { type AlertSnapshot, Restored } from './restore.ts';
import type { Compile, RuleGroup } from './rule.ts';
import type { TemplateEnvironment } from './template.ts';
import type { RuleGroupView } from './view.ts';

export interface RuleManagerOptions extends Omit<RulePorts, 'changed'> {
  readonly groups: readonly RuleGroup[];
  /** Receives every change of state, with a copy of the alert. */
  readonly notify: Notify;
  readonly externalLabels?: Labels;
  /** What `externalURL` gives in templates. */
  readonly externalUrl?: string;
  /** For `query` in templates. */
  readonly compile: Compile;
  /** Interval of groups that name none, ms. */
  readonly defaultIntervalMs?: number;
}

/** Counts of one call: rules that succeeded and failed, and evaluations that came too late to happen. */
export interface EvaluationSummary {
  readonly succeeded: number;
  readonly failed: number;
  readonly missed: number;
}

export interface RuleManager {
  readonly groups: readonly RuleGroup[];
  /**
   * Evaluates the groups that are due at `t`, ms since the Unix epoch, or all of them with `force`. A group is never
   * evaluated twice for the same moment, and a forced evaluation leaves its schedule alone. Never throws.
   */
  evaluate(t: number, options?: { force?: boolean }): EvaluationSummary;
  /** Pending and firing alerts. */
  alerts(): ActiveAlert[];
  /** Alerts that were resolved during the last 15 minutes. */
  resolved(): ActiveAlert[];
  /** Every group with its rules, their health and their alerts: a copy of the moment. */
  describe(): RuleGroupView[];
  /** What {@link RuleManager.restore} wants after a restart: plain JSON. */
  snapshot(): AlertSnapshot;
  /**
   * Takes over since when conditions hold, so that a restart does not begin `for` anew; the time in between does not
   * count. Gives the number of alerts taken over: 0 when the snapshot is not one of ours.
   */
  restore(snapshot: unknown): number;
}

const DEFAULT_INTERVAL_MS = 5000;

export function createRuleManager(options: RuleManagerOptions): RuleManager {
  const { groups, notify, query, compile } = options;
  let now = 0;
  let restored = new Restored([], 0);
  const ports: RulePorts = {
    ...options,
    changed: ({ alert, previousState }, t) => {
      const { keepFiringSince: _, ...copy } = alert;
      notify({ ...copy, previousState, at: t });
    },
  };
  const environment: TemplateEnvironment = {
    get now() {
      return now;
    },
    externalUrl: options.externalUrl ?? 'http://localhost/',
    query: (expr) => query(compile(expr), now),
  };
  const context = { externalLabels: options.externalLabels ?? {}, environment };
  const runners = groups.map(
    (group) => new GroupRunner(group, options.defaultIntervalMs ?? DEFAULT_INTERVAL_MS, ports),
  );
  const all = (): ActiveAlert[] =>
    runners.flatMap((runner) => runner.alerts()).flatMap((rule) => rule.alerts());

  return {
    groups,
    evaluate(t, { force = false } = {}) {
      now = t;
      const summary = { succeeded: 0, failed: 0, missed: 0 };
      for (const runner of runners) {
        const { due, missed } = runner.due(t, force);
        summary.missed += missed * runner.group.rules.length;
        if (!due) continue;
        const failed = runner.run(t, context, (group, rule, labels) =>
          restored.activeSince(group, rule, labels, t),
        );
        summary.failed += failed;
        summary.succeeded += runner.group.rules.length - failed;
      }
      return summary;
    },
    alerts: () => all().filter((alert) => alert.state !== 'resolved'),
    resolved: () => all().filter((alert) => alert.state === 'resolved'),
    describe: () => runners.map((runner) => runner.describe()),
    snapshot: () => ({
      version: 1,
      at: now,
      alerts: all()
        .filter((alert) => alert.state !== 'resolved')
        .map(({ group, name, labels, activeAt }) => ({ group, rule: name, labels: { ...labels }, activeAt })),
    }),
    restore(snapshot) {
      restored = Restored.from(snapshot);
      return restored.size;
    },
  };
}
