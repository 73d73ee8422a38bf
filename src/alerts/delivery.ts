import { Retries, type RetryPauses } from '../model/retries.ts';
import type { OutgoingAlert } from './outgoing.ts';

/** What a server answered. */
export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly body: Uint8Array;
  /** When the server asks for a pause, ms. */
  readonly retryAfterMs: number | undefined;
}

/** Sends a JSON text to one server; rejects when there is no answer. */
export type Post = (body: string) => Promise<Answer>;

export interface Request {
  readonly alerts: readonly OutgoingAlert[];
  /** The JSON text of them, made anew for every attempt, as the times in it are those of the attempt. */
  readonly body: () => string;
}

/** Where a delivery takes its requests from. No method throws. */
export interface Outbox {
  /** Alerts that wait. */
  readonly size: number;
  take(): Request | undefined;
  /** Takes back a request that could not be delivered for now. */
  giveBack(request: Request): void;
}

/** What became of the alerts of a request: `retried` for every attempt that failed and is made again, one of the others in the end. */
export type Outcome = 'sent' | 'retried' | 'rejected' | 'dropped';
export const OUTCOMES: readonly Outcome[] = ['sent', 'retried', 'rejected', 'dropped'];

export interface DeliveryOptions extends RetryPauses {
  readonly outbox: Outbox;
  readonly post: Post;
  readonly onOutcome: (outcome: Outcome, alerts: number) => void;
  readonly onFailure: (error: Error) => void;
}

/** Of the text of an error. */
const MAX_TEXT = 300;

/**
 * Brings what an outbox holds to one server, one request at a time, in order. Status 5xx, 408, 429 and no answer at all are tried again
 * with growing pauses; anything else but 2xx never is, as the server may have taken a part.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #retries: Retries;
  #busy = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
    this.#retries = new Retries({
      ...options,
      maxAskedMs: 2 * options.maxRetryMs,
      resume: () => void this.#pump(),
      isIdle: () => !this.#busy,
      isEmpty: () => options.outbox.size === 0,
    });
  }

  /** Sends what waits: there is something new in the outbox. */
  poke(): void {
    this.#retries.hurry();
    void this.#pump();
  }

  /** Fulfils when all that waits is delivered or has failed twice, after `timeoutMs` at the latest. */
  flush(timeoutMs: number): Promise<void> {
    return this.#retries.flush(timeoutMs);
  }

  async #pump(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (!this.#retries.isPaused) {
      const request = this.#options.outbox.take();
      if (request === undefined) break;
      await this.#send(request);
    }
    this.#busy = false;
    this.#retries.settle();
  }

  async #send(request: Request): Promise<void> {
    const { post, onOutcome, onFailure } = this.#options;
    this.#retries.begun();
    let answer: Answer | undefined;
    try {
      answer = await post(request.body());
    } catch (error) {
      onFailure(error as Error);
      return this.#retry(request);
    }
    const { status } = answer;
    if (status >= 200 && status < 300) {
      this.#retries.answered();
      return onOutcome('sent', request.alerts.length);
    }
    onFailure(new Error(messageOf(answer)));
    if (isPassing(status)) return this.#retry(request, answer.retryAfterMs);
    this.#retries.answered();
    onOutcome('rejected', request.alerts.length);
  }

  #retry(request: Request, retryAfterMs?: number): void {
    this.#options.outbox.giveBack(request);
    this.#options.onOutcome('retried', request.alerts.length);
    this.#retries.failed(retryAfterMs);
  }
}

/** Whether a server that answers this may take the same request later. */
function isPassing(status: number): boolean {
  return status >= 500 || status === 408 || status === 429;
}

function messageOf({ status, statusText, body }: Answer): string {
  const head = `HTTP ${status} ${statusText}`.trim();
  // The text is a stranger's: one short line of it.
  const text = Buffer.from(body.subarray(0, 4 * MAX_TEXT))
    .toString()
    .replace(/[^\P{C}]+|\s+/gu, ' ')
    .trim();
  return text === '' ? head : `${head}: ${text.slice(0, MAX_TEXT)}`;
}
