import { AsyncLocalStorage } from 'node:async_hooks';
import { performance } from 'node:perf_hooks';
import { threadMs } from '../model/clock.ts';
import { clearTimeout, setTimeout, threadCpuUsage } from '../model/native.ts';
import { writeHeapFigures } from './heap-figures.ts';
import { beatPause } from './pace.ts';
import { F64, I32, lateBucket, type Shared } from './protocol.ts';

/** How often the slower figures (heap, loop utilization) are refreshed, ms. */
const REFRESH_MS = 1000;

const TIMERS = { setTimeout, clearTimeout };

export interface HeartbeatOptions {
  readonly shared: Shared;
  /** Of the agent's looks. */
  readonly intervalMs: number;
  /** Bytes, of the old generation. */
  readonly heapLimit: number;
  /** Called at every beat with the time and what passed since the last one, ms of performance.now(). */
  readonly onBeat: (nowMs: number, elapsedMs: number) => void;
  /** Called about once a second. */
  readonly onRefresh: () => void;
  readonly onError: (part: string, error: unknown) => void;
  /** Default: those of Node.js. */
  readonly timers?: typeof TIMERS;
}

export interface Heartbeat {
  /** Work begins: beats come as often as they should from now on. */
  wake(): void;
  stop(): void;
}

/**
 * The sign of life of a thread: a timer that writes the time into shared memory, so that the agent sees a blocked loop
 * by its silence. How late the timer comes is the delay of the event loop. While no run is in flight it comes more rarely.
 */
export function startHeartbeat(options: HeartbeatOptions): Heartbeat {
  const { shared, intervalMs, timers = TIMERS } = options;
  const { i32, f64 } = shared;
  // A timer keeps the context that it is set in: that of whoever has begun the first run after a pause is none of its business.
  const outside = AsyncLocalStorage.snapshot();
  let timer: NodeJS.Timeout | undefined;
  let beatenAt = threadMs();
  let expected = beatenAt;
  let refreshed = beatenAt;

  function live(now: number): void {
    const pauseMs = beatPause(shared, intervalMs);
    f64[F64.beatAt] = now;
    f64[F64.pauseMs] = pauseMs;
    Atomics.add(i32, I32.beat, 1);
    expected = now + pauseMs;
    timers.clearTimeout(timer);
    timer = outside(timers.setTimeout, beat, pauseMs).unref();
  }

  function beat(): void {
    const now = threadMs();
    const late = Math.max(0, now - expected);
    const elapsed = now - beatenAt;
    beatenAt = now;
    live(now);
    i32[I32.late + lateBucket(late)]!++;
    f64[F64.lateSumMs]! += late;
    f64[F64.lateSquaresMs]! += late * late;
    try {
      options.onBeat(now, elapsed);
      if (now - refreshed < REFRESH_MS) return;
      refreshed = now;
      refresh(shared);
      options.onRefresh();
    } catch (error) {
      options.onError('heartbeat', error);
    }
  }

  f64[F64.heapLimit] = options.heapLimit;
  refresh(shared);
  live(beatenAt);
  return {
    wake: () => {
      if (f64[F64.pauseMs]! <= beatPause(shared, intervalMs)) return;
      const now = threadMs();
      live(now);
      // The run begins in a callback, and may hold the loop from now on.
      f64[F64.turnAt] = now;
    },
    stop: () => timers.clearTimeout(timer),
  };
}

function refresh(shared: Shared): void {
  writeHeapFigures(shared);
  const { f64 } = shared;
  const { active, idle } = performance.eventLoopUtilization();
  f64[F64.activeMs] = active;
  const usage = threadCpuUsage?.();
  f64[F64.threadCpuMs] = usage === undefined ? Number.NaN : (usage.user + usage.system) / 1000;
  f64[F64.idleMs] = idle;
}
