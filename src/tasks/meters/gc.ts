import { constants, PerformanceObserver } from 'node:perf_hooks';
import v8 from 'node:v8';
import vm from 'node:vm';
import { oldUsed } from '../../bridge/heap-figures.ts';
import type { Outbox } from '../../bridge/outbox.ts';
import { F64, GC_KINDS, I32, type Shared } from '../../bridge/protocol.ts';
import { METRICS } from '../../model/metrics.ts';

const MAJOR = GC_KINDS.indexOf('major');

const BOUNDS_MS: readonly number[] = METRICS['v8js.gc.duration'].buckets!.map((seconds) => seconds * 1000);

const KIND_INDEX: Readonly<Record<number, number>> = {
  [constants.NODE_PERFORMANCE_GC_MINOR]: GC_KINDS.indexOf('minor'),
  [constants.NODE_PERFORMANCE_GC_MAJOR]: GC_KINDS.indexOf('major'),
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: GC_KINDS.indexOf('incremental'),
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: GC_KINDS.indexOf('weakcb'),
};

/** Counts garbage collection pauses of this thread in the shared memory. */
export function meterGc(shared: Shared): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const kind = KIND_INDEX[(entry as unknown as { detail: { kind: number } }).detail.kind];
      if (kind === undefined) continue;
      let bucket = 0;
      while (bucket < BOUNDS_MS.length && entry.duration > BOUNDS_MS[bucket]!) bucket++;
      shared.i32[I32.gcCounts + kind * (BOUNDS_MS.length + 1) + bucket]!++;
      shared.f64[F64.gcSumMs + kind]! += entry.duration;
      // It is told of a little later than it was done.
      if (kind === MAJOR) shared.f64[F64.oldAfterMajor] = oldUsed();
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}

let collect: (() => void) | undefined;

/**
 * Does a full collection when the agent has asked for one, and tells it the heap after it. The agent asks within a budget
 * (memory.gc_budget), while the heap grows and the growth is to be laid at a task's door.
 */
export function answerGc(outbox: Outbox): void {
  const { i32 } = outbox.shared;
  const asked = Atomics.load(i32, I32.gcAsked);
  if (asked === i32[I32.gcDone]) return;
  collect ??= exposeGc();
  const start = performance.now();
  const cpu = process.cpuUsage();
  collect();
  const { user, system } = process.cpuUsage(cpu);
  // On a machine that is short of CPU most of the pause is waiting for it, which is not what the collection costs.
  const pauseMs = Math.min(performance.now() - start, (user + system) / 1000);
  const { used_heap_size, external_memory } = v8.getHeapStatistics();
  outbox.collection(pauseMs, used_heap_size, external_memory);
  Atomics.store(i32, I32.gcDone, asked);
}

/** `gc` is handed to contexts made after the flag is set; the process's own globals stay as they are. */
function exposeGc(): () => void {
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc') as () => void;
  v8.setFlagsFromString('--no-expose-gc');
  return gc;
}
