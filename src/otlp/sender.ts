import type { Signal } from '../config/otel.ts';
import type { Connection } from './connect.ts';
import type { Batch, Source } from './queue.ts';
import type { SendResult } from './transport.ts';

/** Why telemetry was given up. */
export type DropReason = 'queue_full' | 'rejected' | 'shutdown';

export interface SenderOptions {
  readonly signal: Signal;
  readonly source: Source;
  readonly connection: Promise<Connection>;
  /** Requests on their way at the same time; only one while the endpoint fails. */
  readonly maxInFlight: number;
  /** Pause after a first failure, ms; doubles with every further one up to `maxRetryMs`, less up to half by chance. */
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
  /** ms, any origin. */
  readonly now: () => number;
  readonly onDropped: (reason: DropReason, count: number) => void;
  readonly onFailure: (error: Error) => void;
}

/** Pause before something new and urgent is tried while the endpoint fails, ms since the last attempt. */
const EAGER_MS = 1000;
/** Pause between the two attempts of a flush, ms. */
const FLUSH_RETRY_MS = 100;
const FLUSH_ATTEMPTS = 2;

/**
 * Delivers what a source holds: several requests at a time while the endpoint answers, one by one with growing pauses while it
 * does not. A request is sent until it is accepted or rejected. Its timers keep no thread alive, except during a flush.
 */
export class Sender {
  readonly #options: SenderOptions;
  #connection: Connection | undefined;
  #inFlight = 0;
  #failures = 0;
  #lastAttempt = Number.NEGATIVE_INFINITY;
  #pause: NodeJS.Timeout | undefined;
  #serverAsked = false;
  #closed = false;
  /** Failures since the flush that is on began. */
  #flushFailures: number | undefined;
  #settled: (() => void)[] = [];

  constructor(options: SenderOptions) {
    this.#options = options;
    options.connection.then(
      (connection) => {
        this.#connection = connection;
        if (this.#closed) connection.transport.close();
        else this.#pump();
      },
      (error: Error) => options.onFailure(error),
    );
  }

  /** Sends what is ready to be sent. */
  poke(): void {
    if (this.#pause === undefined) this.#pump();
  }

  /** The same for what is urgent: it does not wait for the end of a long pause, unless the server asked for it. */
  pokeUrgently(): void {
    if (!this.#serverAsked && this.#options.now() - this.#lastAttempt >= EAGER_MS) this.#endPause();
    this.poke();
  }

  /** Fulfils when all that waits now is delivered or given up on, after `timeoutMs` at the latest. */
  async flush(timeoutMs: number): Promise<void> {
    this.#options.source.hurry();
    this.#flushFailures = 0;
    this.#endPause();
    this.#pump();
    if (this.#isSettled()) return this.#endFlush();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#settled.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
    this.#endFlush();
  }

  /** Gives up what waits, and cuts requests on their way. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#endPause();
    const left = this.#options.source.clear();
    if (left > 0) this.#options.onDropped('shutdown', left);
    this.#connection?.transport.close();
    this.#settle();
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === undefined || this.#closed) return;
    const limit = this.#failures > 0 ? 1 : this.#options.maxInFlight;
    while (this.#inFlight < limit && this.#pause === undefined) {
      const batch = this.#options.source.take(connection.encoder);
      if (batch === undefined) break;
      void this.#send(connection, batch);
    }
    this.#settle();
  }

  async #send(connection: Connection, batch: Batch): Promise<void> {
    this.#inFlight++;
    this.#lastAttempt = this.#options.now();
    const result = await connection.transport.send(batch.body, connection.transport.timeoutMs);
    this.#inFlight--;
    if (result.status === 'retryable') this.#retry(result, batch);
    else {
      this.#failures = 0;
      if (result.status === 'accepted') this.#accepted(connection, result.response);
      else {
        this.#options.onFailure(result.error);
        this.#options.onDropped('rejected', batch.count);
      }
      this.#options.source.settled?.(batch, result.status === 'accepted');
    }
    this.#pump();
  }

  #accepted(connection: Connection, response: Uint8Array): void {
    if (response.length === 0) return;
    try {
      const { rejected, message } = connection.encoder.partialSuccess(this.#options.signal, response);
      if (rejected === 0) return;
      this.#options.onFailure(new Error(`${rejected} items were not taken: ${message}`));
      this.#options.onDropped('rejected', rejected);
    } catch {
      // Any server that answers 200 has taken the request, whatever it writes.
    }
  }

  #retry(result: SendResult & { status: 'retryable' }, batch: Batch): void {
    this.#options.onFailure(result.error);
    if (this.#closed) {
      this.#options.onDropped('shutdown', batch.count);
      return;
    }
    this.#options.source.giveBack(batch);
    this.#failures++;
    const flushing = this.#flushFailures !== undefined && ++this.#flushFailures < FLUSH_ATTEMPTS;
    const grown = Math.min(this.#options.firstRetryMs * 2 ** (this.#failures - 1), this.#options.maxRetryMs);
    const jittered = grown * (0.5 + Math.random() / 2);
    this.#endPause();
    this.#serverAsked = !flushing && (result.retryAfterMs ?? 0) > 0;
    const ms = flushing
      ? FLUSH_RETRY_MS
      : Math.max(jittered, Math.min(result.retryAfterMs ?? 0, 10 * this.#options.maxRetryMs));
    this.#pause = setTimeout(() => {
      this.#endPause();
      this.#pump();
    }, ms);
    if (!flushing) this.#pause.unref();
  }

  #endPause(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#serverAsked = false;
  }

  #isSettled(): boolean {
    if (this.#closed) return true;
    if (this.#inFlight > 0) return false;
    return this.#options.source.size === 0 || (this.#flushFailures ?? 0) >= FLUSH_ATTEMPTS;
  }

  #settle(): void {
    if (!this.#isSettled()) return;
    for (const done of this.#settled.splice(0)) done();
  }

  #endFlush(): void {
    this.#flushFailures = undefined;
    this.#pause?.unref();
  }
}
