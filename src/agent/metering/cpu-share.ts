import type { Shared } from '../../bridge/protocol.ts';
import { F64 } from '../../bridge/protocol.ts';

/** Busy time over which the share is told, ms: CPU time moves in steps of some ms. */
const WINDOW_MS = 500;

/**
 * Which part of its busy time a thread is on a CPU and does not wait for one. Time between callbacks minus CPU time may also be spent
 * asleep in one (`execSync`), and time spent waiting for a CPU also before a callback: waiting within callbacks is at most either.
 */
export class CpuShare {
  readonly #shared: Shared;
  readonly #waitMs: () => number | undefined;
  #last: { activeMs: number; cpuMs: number; waitMs: number } | undefined;

  /** @param waitMs how long the thread has waited for a CPU since its start; undefined where it is not known */
  constructor(shared: Shared, waitMs: () => number | undefined) {
    this.#shared = shared;
    this.#waitMs = waitMs;
  }

  /** Tells the thread its share, whenever it has been busy for long enough. */
  check(): void {
    const { f64 } = this.#shared;
    const [activeMs, cpuMs] = [f64[F64.activeMs]!, f64[F64.threadCpuMs]!];
    if (activeMs === this.#last?.activeMs) return;
    if (this.#last !== undefined && activeMs - this.#last.activeMs < WINDOW_MS) return;
    const waitMs = this.#waitMs();
    if (waitMs === undefined || Number.isNaN(cpuMs)) return;
    const last = this.#last;
    this.#last = { activeMs, cpuMs, waitMs };
    if (last === undefined) return;
    f64[F64.cpuShare] = cpuShare(activeMs - last.activeMs, cpuMs - last.cpuMs, waitMs - last.waitMs);
  }
}

/** All of one thread and one window, ms: busy, on a CPU, waiting for a CPU. */
export function cpuShare(activeMs: number, cpuMs: number, waitMs: number): number {
  const waited = Math.max(0, Math.min(activeMs - cpuMs, waitMs));
  return cpuMs <= 0 ? 1 : cpuMs / (cpuMs + waited);
}
