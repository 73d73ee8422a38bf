import { type Labels, labelsKey } from '../model/labels.ts';
import type { AlertRule, RuleGroup } from './rule.ts';

export interface RememberedAlert {
  readonly group: string;
  readonly rule: string;
  readonly labels: Labels;
  /** Since when its condition held, ms since the Unix epoch. */
  readonly activeAt: number;
}

/** Alerts of a process as plain JSON. */
export interface AlertSnapshot {
  readonly version: 1;
  /** Time of the last evaluation, ms since the Unix epoch. */
  readonly at: number;
  readonly alerts: readonly RememberedAlert[];
}

/** Longest time without evaluations that `for` survives, ms (Prometheus: rules.alert.for-outage-tolerance). */
const OUTAGE_TOLERANCE_MS = 3_600_000;
/** How long after the first evaluation an alert may come back: windows of expressions must fill first. */
const RETURN_WINDOW_MS = 600_000;
const MAX_ALERTS = 10_000;

/** Alerts that a former process left, each taken over at most once. */
export class Restored {
  readonly #since = new Map<string, number>();
  readonly #at: number;
  #first: number | undefined;

  constructor(alerts: readonly RememberedAlert[], at: number) {
    this.#at = at;
    for (const { group, rule, labels, activeAt } of alerts)
      this.#since.set(key(group, rule, labels), activeAt);
  }

  /** Reads a snapshot; what is not shaped like one is left out. */
  static from(snapshot: unknown): Restored {
    if (!isRecord(snapshot) || snapshot.version !== 1 || typeof snapshot.at !== 'number')
      return new Restored([], 0);
    const alerts = Array.isArray(snapshot.alerts) ? snapshot.alerts.slice(0, MAX_ALERTS) : [];
    return new Restored(alerts.filter(isRemembered), snapshot.at);
  }

  get size(): number {
    return this.#since.size;
  }

  /** Since when an alert that becomes active at `t` counts as active: the outage itself does not count. */
  activeSince(group: RuleGroup, rule: AlertRule, labels: Labels, t: number): number | undefined {
    if (this.#since.size === 0) return undefined;
    this.#first ??= t;
    if (t < this.#at || this.#first - this.#at > OUTAGE_TOLERANCE_MS || t - this.#first > RETURN_WINDOW_MS) {
      this.#since.clear();
      return undefined;
    }
    const own = key(group.name, rule.name, labels);
    const since = this.#since.get(own);
    this.#since.delete(own);
    return since === undefined ? undefined : Math.min(t, since + (t - this.#at));
  }
}

/** `instance` is left out: a restarted process has another one. */
function key(group: string, rule: string, labels: Labels): string {
  const { instance: _, ...rest } = labels;
  return `${group}\u0000${rule}\u0000${labelsKey(rest)}`;
}

function isRemembered(value: unknown): value is RememberedAlert {
  if (!isRecord(value) || !isRecord(value.labels) || !Number.isFinite(value.activeAt)) return false;
  const texts = [value.group, value.rule, ...Object.values(value.labels)];
  return texts.every((text) => typeof text === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
