import type { ActiveAlert } from '../model/alert.ts';
import { type Labels, labelsKey } from '../model/labels.ts';
import type { Sample } from '../model/queryable.ts';
import { fingerprint } from './fingerprint.ts';
import { withLabels } from './recording.ts';
import type { AlertRule } from './rule.ts';
import { expandTemplate, type TemplateEnvironment } from './template.ts';

/** How long a resolved alert is kept, ms (source: prometheus/rules/alerting.go, resolvedRetention). */
const RESOLVED_RETENTION_MS = 15 * 60_000;

/** An alert as its rule keeps it. */
export interface AlertRecord extends ActiveAlert {
  keepFiringSince: number | undefined;
}

export interface Change {
  readonly alert: AlertRecord;
  readonly previousState: ActiveAlert['state'] | 'inactive';
}

/** What an evaluation needs besides the rule. */
export interface AlertContext {
  readonly externalLabels: Labels;
  readonly environment: TemplateEnvironment;
  /** Most alerts that the rule may have; 0 and less = no limit. */
  readonly limit: number;
  /** Since when the condition of an alert with these labels held already, told by a former process. */
  readonly activeSince: (labels: Labels) => number | undefined;
}

/** What an evaluation says about one alert. */
type Seen = Pick<ActiveAlert, 'labels' | 'annotations' | 'value'>;

export interface AlertUpdate {
  readonly changes: readonly Change[];
  /** Set when there were more alerts than the limit allows: all have been dropped. */
  readonly exceeded: Error | undefined;
}

/**
 * The alerts of one rule and their states (source: prometheus/rules/alerting.go, Eval). Times are ms since the Unix
 * epoch and are handed in.
 */
export class RuleAlerts {
  readonly rule: AlertRule;
  readonly group: string;
  readonly #intervalMs: number;
  /** By canonical label text; resolved ones are kept for 15 minutes. */
  readonly #alerts = new Map<string, AlertRecord>();
  readonly #series = new WeakMap<Labels, { [of in ActiveAlert['state'] | 'since']?: Labels }>();

  constructor(rule: AlertRule, group: string, intervalMs: number) {
    this.rule = rule;
    this.group = group;
    this.#intervalMs = intervalMs;
  }

  /** All alerts, resolved ones included. */
  alerts(): AlertRecord[] {
    return [...this.#alerts.values()];
  }

  /**
   * Takes the result of the rule's expression at time `t` and gives the changes of state.
   * @throws Error when two samples give the same alert; nothing has changed then
   */
  update(t: number, result: readonly Sample[], context: AlertContext): AlertUpdate {
    const found = this.#expand(result, context);
    const changes: Change[] = [];
    const added = new Set<AlertRecord>();
    for (const [key, seen] of found) {
      const known = this.#alerts.get(key);
      if (known === undefined || known.state === 'resolved') {
        const fresh = this.#alert(context.activeSince(seen.labels) ?? t, seen);
        added.add(fresh);
        this.#alerts.set(key, fresh);
        if (t - fresh.activeAt < this.rule.holdMs) changes.push({ alert: fresh, previousState: 'inactive' });
      } else {
        known.value = seen.value;
        known.annotations = seen.annotations;
        known.keepFiringSince = undefined;
      }
    }
    for (const [key, alert] of this.#alerts) {
      const change = found.has(key)
        ? this.#present(alert, t, added.has(alert))
        : this.#missing(key, alert, t);
      if (change !== undefined) changes.push(change);
      if (alert.state === 'firing' && t - alert.activeAt < this.rule.holdMs)
        changes.push(...this.#waitAgain(key, alert, t));
    }
    const count = this.alerts().filter((alert) => alert.state !== 'resolved').length;
    if (context.limit <= 0 || count <= context.limit) return { changes, exceeded: undefined };
    const exceeded = new Error(`exceeded limit of ${context.limit} with ${count} alerts`);
    return { changes: this.#drop(t, changes), exceeded };
  }

  /** Resolves everything at once: the rule is gone. */
  end(t: number): Change[] {
    return this.#drop(t, []);
  }

  /** Takes over the alerts of the same rule as it was before its file changed: of the same name and labels. */
  adopt(former: RuleAlerts): void {
    const present = { expr: this.rule.expr, intervalMs: this.#intervalMs };
    for (const [key, alert] of former.#alerts) this.#alerts.set(key, { ...alert, ...present });
  }

  /**
   * Moves what is counted by time: `ms` passed in which nothing was seen, or the clock was set by `ms`. A firing alert keeps its
   * times, unless they would lie ahead.
   */
  shift(ms: number): void {
    for (const alert of this.#alerts.values()) {
      if (alert.keepFiringSince !== undefined) alert.keepFiringSince += ms;
      if (ms < 0 || alert.state === 'pending') alert.activeAt += ms;
      if (ms < 0 && alert.firedAt !== undefined) alert.firedAt += ms;
      if (ms < 0 && alert.resolvedAt !== undefined) alert.resolvedAt += ms;
    }
  }

  /** Resolves everything at once, and tells what a reader knew before this round's `changes`. */
  #drop(t: number, changes: readonly Change[]): Change[] {
    const former = new Map(changes.map((change) => [change.alert, change.previousState]));
    const ended: Change[] = [];
    // Changes of this round may be about alerts that have left the table.
    for (const alert of new Set([...this.#alerts.values(), ...former.keys()])) {
      const previousState = former.get(alert) ?? alert.state;
      if (previousState === 'inactive' || previousState === 'resolved') continue;
      alert.state = 'resolved';
      alert.resolvedAt = t;
      ended.push({ alert, previousState });
    }
    this.#alerts.clear();
    return ended;
  }

  /** The series ALERTS and ALERTS_FOR_STATE of every pending and firing alert. */
  samples(): Sample[] {
    return this.alerts()
      .filter((alert) => alert.state !== 'resolved')
      .flatMap(({ labels, state, activeAt }) => [
        { labels: this.#seriesLabels(labels, state), value: 1 },
        { labels: this.#seriesLabels(labels, 'since'), value: Math.floor(activeAt / 1000) },
      ]);
  }

  /** Labels of the series of an alert in a state, or of that which says since when: the same object every time. */
  #seriesLabels(labels: Labels, of: ActiveAlert['state'] | 'since'): Labels {
    const known = this.#series.get(labels) ?? {};
    this.#series.set(labels, known);
    known[of] ??=
      of === 'since'
        ? { ...labels, __name__: 'ALERTS_FOR_STATE' }
        : { ...labels, __name__: 'ALERTS', alertstate: of };
    return known[of];
  }

  #expand(result: readonly Sample[], context: AlertContext): Map<string, Seen> {
    const { externalLabels, environment } = context;
    const found = new Map<string, Seen>();
    for (const { labels, value } of result) {
      const data = { labels, externalLabels, value };
      const text = (templates: AlertRule['labels']) =>
        Object.fromEntries(
          templates.map(([name, template]) => [name, expandTemplate(template, data, environment)]),
        );
      const changes = { ...text(this.rule.labels), __name__: '', alertname: this.rule.name };
      const own = withLabels(labels, changes);
      const key = labelsKey(own);
      if (found.has(key))
        throw new Error('vector contains metrics with the same labelset after applying alert labels');
      found.set(key, { labels: own, annotations: text(this.rule.annotations), value });
    }
    return found;
  }

  #alert(activeAt: number, { labels, annotations, value }: Seen): AlertRecord {
    return {
      name: this.rule.name,
      group: this.group,
      intervalMs: this.#intervalMs,
      expr: this.rule.expr,
      state: 'pending',
      labels,
      annotations,
      value,
      fingerprint: fingerprint(labels),
      activeAt,
      firedAt: undefined,
      resolvedAt: undefined,
      runs: [],
      keepFiringSince: undefined,
    };
  }

  #present(alert: AlertRecord, t: number, isNew: boolean): Change | undefined {
    if (alert.state !== 'pending' || t - alert.activeAt < this.rule.holdMs) return undefined;
    alert.state = 'firing';
    alert.firedAt = t;
    return { alert, previousState: isNew ? 'inactive' : 'pending' };
  }

  /** `for` has become longer than the condition has held: to a reader the alert ends, and another one begins to wait. */
  #waitAgain(key: string, alert: AlertRecord, t: number): Change[] {
    const waiting: AlertRecord = {
      ...alert,
      state: 'pending',
      firedAt: undefined,
      keepFiringSince: undefined,
    };
    this.#alerts.set(key, waiting);
    const ended = resolve(alert, t);
    return [ended, { alert: waiting, previousState: 'inactive' }];
  }

  #missing(key: string, alert: AlertRecord, t: number): Change | undefined {
    if (alert.state === 'resolved') {
      if (t - (alert.resolvedAt ?? t) > RESOLVED_RETENTION_MS) this.#alerts.delete(key);
      return undefined;
    }
    if (alert.state === 'pending') this.#alerts.delete(key);
    else if (this.rule.keepFiringMs > 0) {
      alert.keepFiringSince ??= t;
      if (t - alert.keepFiringSince < this.rule.keepFiringMs) return undefined;
    }
    return resolve(alert, t);
  }
}

function resolve(alert: AlertRecord, t: number): Change {
  const previousState = alert.state;
  alert.state = 'resolved';
  alert.resolvedAt = t;
  return { alert, previousState };
}
