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

export interface DeliveryOptions {
  readonly outbox: Outbox;
  readonly post: Post;
  /** Pause after a first failure, ms; doubles with every further one up to `maxRetryMs`, less up to half by chance. */
  readonly firstRetryMs: number;
  readonly maxRetryMs: number;
  /** ms, any origin. */
  readonly now: () => number;
  readonly onOutcome: (outcome: Outcome, alerts: number) => void;
  readonly onFailure: (error: Error) => void;
}

/** Something new is tried at once while the server fails, unless the last attempt was so short ago, ms. */
const EAGER_MS = 1000;
/** Pause between the two attempts of a flush, ms. */
const FLUSH_RETRY_MS = 100;
const FLUSH_ATTEMPTS = 2;
/** Of the text of an error. */
const MAX_TEXT = 300;

/**
 * Brings what an outbox holds to one server, one request at a time, in order. Status 5xx, 408, 429 and no answer at all are tried again
 * with growing pauses; anything else but 2xx never is, as the server may have taken a part. Its timers keep no thread alive, except
 * during a flush.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  #busy = false;
  #failures = 0;
  #lastAttempt = Number.NEGATIVE_INFINITY;
  #pause: NodeJS.Timeout | undefined;
  #serverAsked = false;
  /** Attempts that failed since the flush that is on began. */
  #flushFailures: number | undefined;
  #settled: (() => void)[] = [];

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  /** Sends what waits: there is something new in the outbox. */
  poke(): void {
    const isEager = !this.#serverAsked && this.#options.now() - this.#lastAttempt >= EAGER_MS;
    if (isEager) this.#endPause();
    void this.#pump();
  }

  /** Fulfils when all that waits is delivered or has failed twice, after `timeoutMs` at the latest. */
  async flush(timeoutMs: number): Promise<void> {
    this.#flushFailures = 0;
    this.#endPause();
    void this.#pump();
    if (!this.#isSettled()) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#settled.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    this.#flushFailures = undefined;
    this.#pause?.unref();
  }

  async #pump(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    while (this.#pause === undefined) {
      const request = this.#options.outbox.take();
      if (request === undefined) break;
      await this.#send(request);
    }
    this.#busy = false;
    if (this.#isSettled()) for (const done of this.#settled.splice(0)) done();
  }

  async #send(request: Request): Promise<void> {
    const { post, now, onOutcome, onFailure } = this.#options;
    this.#lastAttempt = now();
    let answer: Answer | undefined;
    try {
      answer = await post(request.body());
    } catch (error) {
      onFailure(error as Error);
      return this.#retry(request, 0);
    }
    const { status } = answer;
    if (status >= 200 && status < 300) {
      this.#failures = 0;
      return onOutcome('sent', request.alerts.length);
    }
    onFailure(new Error(messageOf(answer)));
    if (isPassing(status)) return this.#retry(request, answer.retryAfterMs ?? 0);
    this.#failures = 0;
    onOutcome('rejected', request.alerts.length);
  }

  #retry(request: Request, retryAfterMs: number): void {
    const { outbox, onOutcome, firstRetryMs, maxRetryMs } = this.#options;
    outbox.giveBack(request);
    onOutcome('retried', request.alerts.length);
    const grown = Math.min(firstRetryMs * 2 ** this.#failures++, maxRetryMs);
    const isLast = this.#flushFailures === undefined || ++this.#flushFailures >= FLUSH_ATTEMPTS;
    this.#serverAsked = isLast && retryAfterMs > 0;
    const jittered = grown * (0.5 + Math.random() / 2);
    const ms = isLast ? Math.max(jittered, Math.min(retryAfterMs, 2 * maxRetryMs)) : FLUSH_RETRY_MS;
    this.#pause = setTimeout(() => {
      this.#endPause();
      void this.#pump();
    }, ms);
    if (isLast) this.#pause.unref();
  }

  #endPause(): void {
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#serverAsked = false;
  }

  #isSettled(): boolean {
    if (this.#busy) return false;
    return this.#options.outbox.size === 0 || (this.#flushFailures ?? 0) >= FLUSH_ATTEMPTS;
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
