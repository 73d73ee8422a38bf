import { clearInterval, clearTimeout, setInterval, setTimeout } from 'node:timers';
import type { AlertTransition } from '../../model/alert.ts';
import { wallClock } from '../../model/clock.ts';

/** How long a death is told of, ms: as long as a worker's agent tells of one that it has found. */
const TOLD_MS = 300_000;
/** How often Alertmanagers are reminded, ms: an alert that is not repeated ends there after four minutes. */
const REMIND_MS = 60_000;
/**
 * An alert that has not been told for so long is not ended with the supervisor, ms: a receiver that waits for more of its kind before it
 * tells anybody, as Alertmanager does, would never tell of it.
 */
const HEARD_MS = 60_000;

/** How long the delivery of alerts may take at the end, ms. */
export const FLUSH_MS = 3000;

/** Where alerts go, see `Exporting`. */
export interface Sink {
  alert(transition: AlertTransition): void;
  remind(): void;
  flush(timeoutMs: number): Promise<void>;
}

interface Open {
  readonly alerts: readonly AlertTransition[];
  readonly sink: Sink;
  readonly timers: readonly [NodeJS.Timeout, NodeJS.Timeout];
}

/** Alerts about deaths, which are events, as far as they are told of: each ends by itself. Nothing here keeps the process alive. */
export class OpenAlerts {
  readonly #toldMs: number;
  readonly #open = new Set<Open>();

  constructor(toldMs = TOLD_MS) {
    this.#toldMs = toldMs;
  }

  /** Sends alerts that fire, and later their ends. @param sink they have in common */
  fire(alerts: readonly AlertTransition[], sink: Sink): void {
    for (const alert of alerts) sink.alert(alert);
    const remind = setInterval(() => sink.remind(), REMIND_MS).unref();
    const end = setTimeout(() => void this.#end(open), this.#toldMs).unref();
    const open: Open = { alerts, sink, timers: [end, remind] };
    this.#open.add(open);
  }

  /** The supervisor ends: whoever heard of an alert hears of its end. */
  async endAll(heardMs = HEARD_MS): Promise<void> {
    const now = wallClock();
    const heard = [...this.#open].filter(({ alerts }) => alerts.every(({ at }) => now - at >= heardMs));
    await Promise.all(heard.map((open) => this.#end(open)));
  }

  async #end(open: Open): Promise<void> {
    const [end, remind] = open.timers;
    clearTimeout(end);
    clearInterval(remind);
    this.#open.delete(open);
    const at = wallClock();
    for (const alert of open.alerts)
      open.sink.alert({ ...alert, state: 'resolved', previousState: 'firing', resolvedAt: at, at });
    await open.sink.flush(FLUSH_MS);
  }
}
