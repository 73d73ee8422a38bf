/** The first answer of a poll may take this share of the time until the next, and all of it that. */
const LATENCY_SHARE = 0.1;
const POLL_SHARE = 0.5;
/** Share of a core that Redis may be busy before it is asked less often, and by what factor. */
const BUSY = 0.75;
const RELIEF = 3;
const MAX_INTERVAL_MS = 60_000;

/** What INFO says of the CPU of Redis, by its sections of user and system time. */
const CPU_SECONDS = /^used_cpu_(?:sys|user):([\d.]+)/gm;

/** How often a Redis is polled: less often while it is slow to answer or busy, and more often again when it is neither. */
export class Pace {
  readonly #leastMs: number;
  #intervalMs: number;
  /** How long the last poll took that came to its end. */
  #tookMs = 0;
  #failures = 0;
  #cpu: { seconds: number; atMs: number } | undefined;
  #isBusy = false;

  /** @param intervalMs what it is while Redis is quick and idle */
  constructor(intervalMs: number) {
    this.#leastMs = intervalMs;
    this.#intervalMs = intervalMs;
  }

  /** Between two polls, ms. */
  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** Redis has answered after so long. */
  answered(latencyMs: number): void {
    const busy = this.#isBusy ? this.#leastMs * RELIEF : 0;
    const wanted = Math.max(this.#leastMs, latencyMs / LATENCY_SHARE, busy);
    const most = Math.max(MAX_INTERVAL_MS, this.#leastMs);
    // A lease lasts longer than the interval, so that it outlasts the poll.
    this.#set(Math.max(Math.min(wanted, most), this.#tookMs / POLL_SHARE));
  }

  /** A poll has come to its end. */
  took(ms: number): void {
    this.#failures = 0;
    this.#tookMs = ms;
    this.#intervalMs = Math.max(this.#intervalMs, ms / POLL_SHARE);
  }

  failed(): void {
    this.#failures++;
  }

  /** The text of INFO: the share of a core that Redis used since the one before. @param nowMs monotonic */
  load(info: string, nowMs: number): void {
    const used = [...info.matchAll(CPU_SECONDS)].map(([, s]) => Number(s));
    if (used.length < 2) return;
    const seconds = used.reduce((sum, s) => sum + s, 0);
    const before = this.#cpu;
    this.#cpu = { seconds, atMs: nowMs };
    if (before === undefined || seconds < before.seconds || nowMs <= before.atMs) return;
    this.#isBusy = (seconds - before.seconds) / ((nowMs - before.atMs) / 1000) > BUSY;
  }

  /** From the begin of a poll to that of the next, or from the end of one that failed, ms. */
  nextMs(): number {
    if (this.#failures === 0) return this.#intervalMs;
    const backoff = this.#leastMs * 2 ** Math.min(this.#failures - 1, 6);
    // Many agents lose the same Redis at the same moment.
    return Math.min(backoff, Math.max(MAX_INTERVAL_MS, this.#leastMs)) * (0.75 + Math.random() / 2);
  }

  /** Polls take so long that what they tell is more than a minute old before it is told anew. */
  get isSlow(): boolean {
    return this.#intervalMs > Math.max(MAX_INTERVAL_MS, this.#leastMs);
  }

  get isFailing(): boolean {
    return this.#failures > 0;
  }

  #set(wanted: number): void {
    this.#intervalMs = wanted > this.#intervalMs ? wanted : (this.#intervalMs + wanted) / 2;
    if (this.#intervalMs < this.#leastMs * 1.05) this.#intervalMs = this.#leastMs;
  }
}
