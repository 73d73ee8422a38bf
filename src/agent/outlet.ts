import type { Signal } from '../config/otel.ts';
import type { Registry } from '../store/registry.ts';
import type { Exporting } from './exporting.ts';

/** What is kept until there are exporters. */
const MAX_WAITING = 2048;

/** The way out for spans, alerts and events, which may come before there are exporters. */
export class Outlet {
  readonly #registry: Registry;
  readonly #waiting: { readonly signal: Signal; readonly send: (to: Exporting) => void }[] = [];
  #exporting: Exporting | undefined;

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /** Undefined before {@link open}. */
  get exporting(): Exporting | undefined {
    return this.#exporting;
  }

  send(signal: Signal, send: (to: Exporting) => void): void {
    if (this.#exporting !== undefined) send(this.#exporting);
    else if (this.#waiting.push({ signal, send }) > MAX_WAITING) {
      const dropped = this.#waiting.shift()!;
      const attributes = { signal: dropped.signal, reason: 'queue_full' };
      this.#registry.add('taskwarden.telemetry.dropped', attributes, 1);
    }
  }

  /** There are exporters: what has waited for them is sent. */
  open(exporting: Exporting): void {
    this.#exporting = exporting;
    for (const { send } of this.#waiting.splice(0)) send(exporting);
  }
}
