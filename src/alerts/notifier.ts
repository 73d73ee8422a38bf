import type { ActiveAlert, AlertTransition } from '../model/alert.ts';
import { AlertmanagerOutbox, REPEAT_END_MS, RESEND_MS } from './alertmanager.ts';
import { Delivery, type DeliveryOptions, type Outcome, type Post } from './delivery.ts';
import { isNews } from './news.ts';
import { type OutgoingOptions, outgoing } from './outgoing.ts';
import { WebhookOutbox } from './webhook.ts';

/** Kinds of servers that alerts are sent to beside OTLP. */
export type SinkKind = 'alertmanager' | 'webhook';

/** One server. */
export interface Target {
  readonly sink: SinkKind;
  readonly post: Post;
  /** A request failed, for now or for good. */
  readonly onFailure: (error: Error) => void;
}

export interface NotifierOptions extends OutgoingOptions {
  readonly targets: readonly Target[];
  /** Pending and firing alerts as they are now: where annotations of what is sent again come from. */
  readonly alerts: () => Iterable<ActiveAlert>;
  /** Runs something when the evaluation that is on has ended. */
  readonly later: (run: () => void) => void;
  readonly onOutcome: (sink: SinkKind, outcome: Outcome, alerts: number) => void;
  /** Wall clock, ms since the Unix epoch. */
  readonly now: () => number;
  /** ms, any origin; never goes back. */
  readonly elapsed: () => number;
}

const FIRST_RETRY_MS = 1000;
const MAX_RETRY_MS = 30_000;
/** Alerts that are sent again; beyond it the oldest is dropped, and ends in Alertmanager by itself. */
const MAX_KEPT = 10_000;

/** An alert that servers have been told of. */
interface Told {
  readonly alert: AlertTransition;
  /** Both in `elapsed` ms. */
  sentAt: number;
  readonly since: number;
}

/** Brings changes of alerts to Alertmanagers and webhooks, and reminds Alertmanagers of what it told. No method throws. */
export class Notifier {
  readonly #options: NotifierOptions;
  readonly #servers: {
    readonly sink: SinkKind;
    readonly outbox: AlertmanagerOutbox | WebhookOutbox;
    readonly delivery: Delivery;
  }[];
  /** By the alert's own fingerprint, the one told last at the end. */
  readonly #told = new Map<string, Told>();
  /** Changes of the evaluation that is on. */
  #changes: AlertTransition[] = [];

  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#servers = options.targets.map((target) => this.#server(target));
  }

  /** Sends what changed in one evaluation together: a copy of every change goes here, at the moment it happens. */
  transition(transition: AlertTransition): void {
    if (!isNews(transition)) return;
    if (this.#changes.push(transition) === 1) this.#options.later(() => this.#sendChanges());
  }

  /** Reminds Alertmanagers of firing alerts and of recent ends; to be called every few seconds. */
  remind(): void {
    const elapsed = this.#options.elapsed();
    const due: Told[] = [];
    for (const [fingerprint, told] of this.#told) {
      if (told.alert.state === 'resolved' && elapsed - told.since > REPEAT_END_MS)
        this.#told.delete(fingerprint);
      else if (elapsed - told.sentAt >= RESEND_MS) due.push(told);
    }
    if (due.length === 0) return;
    const present = new Map<string, ActiveAlert>();
    for (const alert of this.#options.alerts())
      if (alert.state === 'firing') present.set(alert.fingerprint, alert);
    const alerts: ActiveAlert[] = [];
    for (const told of due) {
      told.sentAt = elapsed;
      const { state, fingerprint, findings } = told.alert;
      const now = present.get(fingerprint);
      const alert = state === 'resolved' ? told.alert : now && { ...now, findings };
      // Neither firing any more nor told to have ended, as its rule is gone: it ends by the time that was sent with it.
      if (alert === undefined) this.#told.delete(fingerprint);
      else alerts.push(alert);
    }
    this.#send(alerts, ['alertmanager']);
  }

  /** Fulfils when everything is delivered or has failed twice, after `timeoutMs` at the latest. */
  async flush(timeoutMs: number): Promise<void> {
    this.#sendChanges();
    await Promise.all(this.#servers.map(({ delivery }) => delivery.flush(timeoutMs)));
  }

  #sendChanges(): void {
    const changes = this.#changes;
    this.#changes = [];
    if (this.#servers.some(({ sink }) => sink === 'alertmanager')) this.#remember(changes);
    this.#send(changes, ['alertmanager', 'webhook']);
  }

  #remember(changes: readonly AlertTransition[]): void {
    const elapsed = this.#options.elapsed();
    for (const alert of changes) {
      this.#told.delete(alert.fingerprint);
      this.#told.set(alert.fingerprint, { alert, sentAt: elapsed, since: elapsed });
    }
    const over = Math.max(0, this.#told.size - MAX_KEPT);
    for (const fingerprint of [...this.#told.keys()].slice(0, over)) this.#told.delete(fingerprint);
    if (over > 0) this.#options.onOutcome('alertmanager', 'dropped', over);
  }

  #send(alerts: readonly ActiveAlert[], to: readonly SinkKind[]): void {
    if (alerts.length === 0) return;
    const texts = alerts.map((alert) => outgoing(alert, this.#options));
    for (const { sink, outbox, delivery } of this.#servers) {
      if (!to.includes(sink)) continue;
      outbox.offer(texts);
      delivery.poke();
    }
  }

  #server({ sink, post, onFailure }: Target) {
    const { now, elapsed, externalUrl, onOutcome } = this.#options;
    const onDropped = (count: number): void => onOutcome(sink, 'dropped', count);
    const outbox =
      sink === 'alertmanager'
        ? new AlertmanagerOutbox(now, onDropped)
        : new WebhookOutbox(externalUrl, onDropped);
    const options: DeliveryOptions = {
      outbox,
      post,
      firstRetryMs: FIRST_RETRY_MS,
      maxRetryMs: MAX_RETRY_MS,
      now: elapsed,
      onOutcome: (outcome, alerts) => onOutcome(sink, outcome, alerts),
      onFailure,
    };
    return { sink, outbox, delivery: new Delivery(options) };
  }
}
