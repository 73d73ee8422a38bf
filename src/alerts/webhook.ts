import type { Labels } from '../model/labels.ts';
import type { Outbox, Request } from './delivery.ts';
import type { OutgoingAlert } from './outgoing.ts';

/** Alerts of one message, and alerts that wait for one server. */
const MAX_BATCH = 256;
const CAPACITY = 2000;
/** Go's zero time: the end of what has not ended. */
const NEVER = '0001-01-01T00:00:00Z';

/** Messages for one webhook, first in first out: each holds what one evaluation changed. */
export class WebhookOutbox implements Outbox {
  readonly #externalUrl: string;
  readonly #onDropped: (count: number) => void;
  readonly #capacity: number;
  readonly #waiting: Request[] = [];
  #size = 0;

  /** @param externalUrl '' where it is not known */
  constructor(externalUrl: string, onDropped: (count: number) => void, capacity = CAPACITY) {
    this.#externalUrl = externalUrl;
    this.#onDropped = onDropped;
    this.#capacity = capacity;
  }

  get size(): number {
    return this.#size;
  }

  offer(alerts: readonly OutgoingAlert[]): void {
    for (let from = 0; from < alerts.length; from += MAX_BATCH) {
      const batch = alerts.slice(from, from + MAX_BATCH);
      this.#waiting.push({ alerts: batch, body: () => webhookBody(batch, this.#externalUrl) });
      this.#size += batch.length;
    }
    this.#trim();
  }

  take(): Request | undefined {
    const request = this.#waiting.shift();
    this.#size -= request?.alerts.length ?? 0;
    return request;
  }

  giveBack(request: Request): void {
    this.#waiting.unshift(request);
    this.#size += request.alerts.length;
    this.#trim();
  }

  /** The oldest make room, the last message excepted. */
  #trim(): void {
    while (this.#size > this.#capacity && this.#waiting.length > 1)
      this.#onDropped(this.take()!.alerts.length);
  }
}

/** What Alertmanager posts to a webhook (source: Alertmanager, docs/configuration.md, webhook_config), of alerts in no group. */
export function webhookBody(alerts: readonly OutgoingAlert[], externalUrl: string): string {
  return JSON.stringify({
    version: '4',
    groupKey: '{}:{}',
    truncatedAlerts: 0,
    status: alerts.some(({ resolvedAt }) => resolvedAt === undefined) ? 'firing' : 'resolved',
    receiver: 'taskwarden',
    groupLabels: {},
    commonLabels: common(alerts.map(({ labels }) => labels)),
    commonAnnotations: common(alerts.map(({ annotations }) => annotations)),
    externalURL: externalUrl,
    alerts: alerts.map(({ fingerprint, labels, annotations, startsAt, resolvedAt, generatorUrl }) => ({
      status: resolvedAt === undefined ? 'firing' : 'resolved',
      labels,
      annotations,
      startsAt: new Date(startsAt).toISOString(),
      endsAt: resolvedAt === undefined ? NEVER : new Date(resolvedAt).toISOString(),
      generatorURL: generatorUrl ?? '',
      fingerprint,
    })),
  });
}

/** The pairs that all of them have. */
function common([first = {}, ...others]: readonly Labels[]): Labels {
  return Object.fromEntries(
    Object.entries(first).filter(([name, value]) => others.every((labels) => labels[name] === value)),
  );
}
