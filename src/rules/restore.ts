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
export const OUTAGE_TOLERANCE_MS = 3_600_000;
/**
 * Prometheus: rules.alert.for-grace-period, ms. An alert that waits at least this long fires no sooner than this after a
 * restart, unless it fired before. It is also how long after the first evaluation an alert may come back: windows of
 * expressions must fill first.
 */
const GRACE_MS = 600_000;
/** How far the clock of the former process may have been ahead of this one's, ms. */
const CLOCK_TOLERANCE_MS = 60_000;
const MAX_ALERTS = 10_000;

/** Alerts that a former process left, each taken over at most once. */
export class Restored {
  readonly #alerts = new Map<string, RememberedAlert>();
  readonly #at: number;
  #first: number | undefined;

  constructor(alerts: readonly RememberedAlert[], at: number) {
    this.#at = at;
    for (const alert of alerts) this.#alerts.set(key(alert.group, alert.rule, alert.labels), alert);
  }

  /** Reads a snapshot; what is not shaped like one is left out. */
  static from(snapshot: unknown): Restored {
    if (!isRecord(snapshot) || snapshot.version !== 1 || !isTime(snapshot.at)) return new Restored([], 0);
    const alerts = Array.isArray(snapshot.alerts) ? snapshot.alerts.slice(0, MAX_ALERTS) : [];
    return new Restored(alerts.filter(isRemembered), snapshot.at);
  }

  get size(): number {
    return this.#alerts.size;
  }

  /**
   * Since when an alert that becomes active at `t` counts as active (source: prometheus/rules/group.go, RestoreForState):
   * one that fired keeps its time, for one that waited the outage itself does not count. Prometheus begins `for` anew
   * where it is shorter than its grace period; an agent that restarts with each deployment goes on there, too.
   */
  activeSince(group: RuleGroup, rule: AlertRule, labels: Labels, t: number): number | undefined {
    if (this.#isOver(t)) return undefined;
    const own = key(group.name, rule.name, labels);
    const remembered = this.#alerts.get(own);
    if (remembered === undefined) return undefined;
    this.#alerts.delete(own);
    const since = Math.min(remembered.activeAt, this.#at);
    const remaining = rule.holdMs - (this.#at - since);
    if (remaining <= 0) return Math.min(t, since);
    if (rule.holdMs >= GRACE_MS && remaining < GRACE_MS) return t + GRACE_MS - rule.holdMs;
    return since + Math.max(0, t - this.#at);
  }

  /** Those that have not come back yet but still may at `t`, as a snapshot of that time remembers them. */
  *waiting(t: number): Generator<RememberedAlert> {
    if (this.#isOver(t)) return;
    const outage = Math.max(0, t - this.#at);
    for (const alert of this.#alerts.values()) yield { ...alert, activeAt: alert.activeAt + outage };
  }

  #isOver(t: number): boolean {
    if (this.#alerts.size === 0) return true;
    this.#first ??= t;
    const isOver =
      this.#at - t > CLOCK_TOLERANCE_MS ||
      this.#first - this.#at > OUTAGE_TOLERANCE_MS ||
      t - this.#first > GRACE_MS;
    if (isOver) this.#alerts.clear();
    return isOver;
  }
}

/** `instance` is left out: a restarted process has another one. */
function key(group: string, rule: string, labels: Labels): string {
  const { instance: _, ...rest } = labels;
  return `${group}\u0000${rule}\u0000${labelsKey(rest)}`;
}

function isRemembered(value: unknown): value is RememberedAlert {
  if (!isRecord(value) || !isRecord(value.labels) || !isTime(value.activeAt)) return false;
  const texts = [value.group, value.rule, ...Object.values(value.labels)];
  return texts.every((text) => typeof text === 'string');
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
