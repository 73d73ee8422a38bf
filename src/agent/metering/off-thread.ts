import { F64, type Shared } from '../../bridge/protocol.ts';
import type { Registry } from '../../store/registry.ts';
import { ownCpuMs } from '../own-metrics.ts';

export interface Readings {
  /** CPU time since the start, ms: of the whole process, and of this thread; undefined where it is not known. */
  readonly processMs: () => number;
  readonly ownMs: () => number | undefined;
}

const READINGS: Readings = {
  processMs() {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1000;
  },
  ownMs: ownCpuMs,
};

/**
 * CPU time of the process outside of the instrumented threads and of the agent's: the thread pool, V8's helpers, native threads. No
 * task can be told for it.
 */
export class OffThread {
  readonly #registry: Registry;
  readonly #readings: Readings;
  /** CPU time of each thread when it was last read, ms. */
  #threads = new Map<Shared, number>();
  #restMs: number | undefined;
  #toldMs = 0;
  #goneMs = 0;

  constructor(registry: Registry, readings: Readings = READINGS) {
    this.#registry = registry;
    this.#readings = readings;
  }

  /** Counts what there was since the last call; the threads' own figures are up to a second old. */
  collect(threads: readonly Shared[]): void {
    const ownMs = this.#readings.ownMs();
    const times = threads.map((shared) => [shared, shared.f64[F64.threadCpuMs]!] as const);
    if (ownMs === undefined || times.some(([, ms]) => Number.isNaN(ms))) return;
    for (const [shared, ms] of this.#threads) if (!threads.includes(shared)) this.#goneMs += ms;
    this.#threads = new Map(times);
    const onThreads = times.reduce((sum, [, ms]) => sum + ms, this.#goneMs);
    const restMs = this.#readings.processMs() - ownMs - onThreads;
    this.#restMs ??= restMs;
    const grownMs = Math.max(0, restMs - this.#restMs - this.#toldMs);
    this.#toldMs += grownMs;
    this.#registry.add('taskwarden.worker.cpu.unattributed', { kind: 'off_thread' }, grownMs / 1000);
  }
}
