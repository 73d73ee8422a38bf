import type { Signal } from '../config/otel.ts';
import { Retries, type RetryPauses } from '../model/retries.ts';
import type { Connection } from './connect.ts';
import type { Batch, Source } from './queue.ts';
import type { SendResult } from './transport.ts';

/** Why telemetry was given up. */
export type DropReason = 'queue_full' | 'rejected' | 'shutdown';

export interface SenderOptions extends RetryPauses {
  readonly signal: Signal;
  readonly source: Source;
  readonly connection: Promise<Connection>;
  /** Requests on their way at the same time; only one while the endpoint fails. */
  readonly maxInFlight: number;
  readonly onDropped: (reason: DropReason, count: number) => void;
  readonly onFailure: (error: Error) => void;
}

/**
 * Delivers what a source holds: several requests at a time while the endpoint answers, one by one with growing pauses while it
 * does not. A request is sent until it is accepted or rejected.
 */
export class Sender {
  readonly #options: SenderOptions;
  readonly #retries: Retries;
  #connection: Connection | undefined;
  #inFlight = 0;
  #closed = false;

  constructor(options: SenderOptions) {
    this.#options = options;
    this.#retries = new Retries({
      ...options,
      maxAskedMs: 10 * options.maxRetryMs,
      resume: () => this.#pump(),
      isIdle: () => this.#closed || this.#inFlight === 0,
      isEmpty: () => this.#closed || options.source.size === 0,
    });
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
    this.#pump();
  }

  /** The same for what is urgent: it does not wait for the end of a long pause, unless the server asked for it. */
  pokeUrgently(): void {
    this.#retries.hurry();
    this.#pump();
  }

  /** Fulfils when all that waits now is delivered or given up on, after `timeoutMs` at the latest. */
  flush(timeoutMs: number): Promise<void> {
    this.#options.source.hurry();
    return this.#retries.flush(timeoutMs);
  }

  /** Gives up what waits, and cuts requests on their way. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#retries.endPause();
    const left = this.#options.source.clear();
    if (left > 0) this.#options.onDropped('shutdown', left);
    this.#connection?.transport.close();
    this.#retries.settle();
  }

  #pump(): void {
    const connection = this.#connection;
    if (connection === undefined || this.#closed) return;
    while (this.#inFlight < this.#limit && !this.#retries.isPaused) {
      const batch = this.#options.source.take(connection.encoder);
      if (batch === undefined) break;
      void this.#send(connection, batch);
    }
    this.#retries.settle();
  }

  get #limit(): number {
    return this.#retries.isFailing ? 1 : this.#options.maxInFlight;
  }

  async #send(connection: Connection, batch: Batch): Promise<void> {
    this.#inFlight++;
    this.#retries.begun();
    const result = await connection.transport.send(batch.body, connection.transport.timeoutMs);
    this.#inFlight--;
    if (result.status === 'retryable') this.#retry(result, batch);
    else {
      this.#retries.answered();
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
    // Nobody listens: as a rule there is no collector at all.
    const isRefused = (result.error as NodeJS.ErrnoException).code === 'ECONNREFUSED';
    this.#retries.failed(result.retryAfterMs, isRefused);
  }
}
