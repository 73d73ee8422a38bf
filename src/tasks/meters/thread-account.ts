import { closeSync, openSync, readSync } from 'node:fs';

/** On Linux: ns on a CPU, ns ready without one, and how often it got one, as text. */
const SCHEDSTAT = '/proc/thread-self/schedstat';
const MAX_BYTES = 96;
const [ZERO, NINE, SPACE] = [0x30, 0x39, 0x20];
/** Node.js before 22.19 cannot tell a thread's CPU time. */
const CAN_TELL: boolean = typeof process.threadCpuUsage === 'function';

/**
 * What the kernel says of the calling thread. CPU time is exact when the thread has just slept; while it runs, the kernel brings it up to
 * date at every tick (1 to 10 ms). The time in the queue for a CPU is exact whenever the thread runs. A reading takes 1.5 µs, 0.4 where
 * there is no queue to be read.
 */
export class ThreadAccount {
  #file: number | undefined;
  readonly #text: Buffer = Buffer.allocUnsafeSlow(MAX_BYTES);
  /** ms */
  cpuMs: number = 0;
  /** How long the thread was ready to run and did not, ms; stays 0 where it is not known. */
  queuedMs: number = 0;

  open(): void {
    try {
      this.#file ??= openSync(SCHEDSTAT, 'r');
    } catch {
      // Another system, no /proc, or no permission to read it.
    }
  }

  close(): void {
    if (this.#file === undefined) return;
    const file = this.#file;
    this.#file = undefined;
    try {
      closeSync(file);
    } catch {
      // Closed by somebody else.
    }
  }

  /** Whether the time in the queue is known. */
  get knowsQueue(): boolean {
    return this.#file !== undefined;
  }

  /** Brings both times up to date. @returns false where there is nothing to be read */
  read(): boolean {
    if (this.#file !== undefined && this.#readFile(this.#file)) return true;
    if (!CAN_TELL) return false;
    const { user, system } = process.threadCpuUsage();
    this.cpuMs = (user + system) / 1000;
    return true;
  }

  #readFile(file: number): boolean {
    try {
      const length = readSync(file, this.#text, 0, MAX_BYTES, 0);
      const cpuMs = this.#number(0, length) / 1e6;
      // A host that closes descriptors which are not its own may have another file behind this one.
      if (cpuMs < this.cpuMs) throw new RangeError('CPU time that shrinks');
      this.cpuMs = cpuMs;
      this.queuedMs = this.#number(this.#text.indexOf(SPACE) + 1, length) / 1e6;
      return true;
    } catch {
      this.#file = undefined;
      return false;
    }
  }

  /** Digits from a position on: a text made of them would be garbage for each reading. */
  #number(from: number, to: number): number {
    let value = 0;
    for (let at = from; at < to; at++) {
      const code = this.#text[at]!;
      if (code < ZERO || code > NINE) break;
      value = 10 * value + code - ZERO;
    }
    return value;
  }
}
