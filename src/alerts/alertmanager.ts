import type { Outbox, Request } from './delivery.ts';
import type { OutgoingAlert } from './outgoing.ts';

/** How often a firing alert is sent again, ms (source: Prometheus, --rules.alert.resend-delay). */
export const RESEND_MS = 60_000;
/** How long the end of an alert is repeated, ms. */
export const REPEAT_END_MS = 5 * 60_000;

/** Alerts of one request, and alerts that wait for one server (source: Prometheus, notifier: 256 and 10,000). */
const MAX_BATCH = 256;
const CAPACITY = 10_000;

/** The state of the alerts that one Alertmanager has not been told yet: the last of each, the oldest first. */
export class AlertmanagerOutbox implements Outbox {
  readonly #now: () => number;
  readonly #onDropped: (count: number) => void;
  readonly #capacity: number;
  #waiting = new Map<string, OutgoingAlert>();

  /** @param now wall clock, ms since the Unix epoch: what Alertmanager compares the ends of alerts with */
  constructor(now: () => number, onDropped: (count: number) => void, capacity = CAPACITY) {
    this.#now = now;
    this.#onDropped = onDropped;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#waiting.size;
  }

  offer(alerts: readonly OutgoingAlert[]): void {
    for (const alert of alerts) {
      this.#waiting.delete(alert.fingerprint);
      this.#waiting.set(alert.fingerprint, alert);
    }
    this.#trim();
  }

  take(): Request | undefined {
    const alerts = [...this.#waiting.values()].slice(0, MAX_BATCH);
    if (alerts.length === 0) return undefined;
    for (const { fingerprint } of alerts) this.#waiting.delete(fingerprint);
    return { alerts, body: () => alertmanagerBody(alerts, this.#now()) };
  }

  giveBack({ alerts }: Request): void {
    const back = alerts.map((alert) => [alert.fingerprint, alert] as const);
    // What came meanwhile is newer.
    this.#waiting = new Map([...back, ...this.#waiting]);
    this.#trim();
  }

  #trim(): void {
    const over = this.#waiting.size - this.#capacity;
    if (over <= 0) return;
    for (const fingerprint of [...this.#waiting.keys()].slice(0, over)) this.#waiting.delete(fingerprint);
    this.#onDropped(over);
  }
}

/**
 * The body of POST /api/v2/alerts (source: Alertmanager, api/v2/openapi.yaml). A firing alert ends by itself unless it is sent again
 * in time (source: prometheus/rules/manager.go, sendAlerts; prometheus/rules/alerting.go, ValidUntil).
 * @param now ms since the Unix epoch
 */
export function alertmanagerBody(alerts: readonly OutgoingAlert[], now: number): string {
  return JSON.stringify(
    alerts.map(({ labels, annotations, startsAt, resolvedAt, intervalMs, generatorUrl }) => {
      // An end to come would be none, and one before the begin is refused: clocks may have been set meanwhile.
      const endsAt =
        resolvedAt === undefined ? now + 4 * Math.max(intervalMs, RESEND_MS) : Math.min(resolvedAt, now);
      return {
        labels,
        annotations,
        startsAt: new Date(Math.min(startsAt, endsAt)).toISOString(),
        endsAt: new Date(endsAt).toISOString(),
        ...(generatorUrl !== undefined && { generatorURL: generatorUrl }),
      };
    }),
  );
}

/** Where an Alertmanager takes alerts; its URL may have a path of its own. */
export function alertsUrl(base: string): URL {
  const url = new URL(base);
  url.pathname = `${url.pathname.replace(/(?:\/api\/v2\/alerts)?\/*$/, '')}/api/v2/alerts`;
  return url;
}
