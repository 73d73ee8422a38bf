import { constants, PerformanceObserver } from 'node:perf_hooks';
import { oldUsed } from '../../bridge/heap-figures.ts';
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

/**
 * Counts garbage collection pauses of this thread in the shared memory.
 *
 * @param onMajor called in one of the next turns of the loop after a full collection
 */
export function meterGc(shared: Shared, onMajor: () => void = () => {}): () => void {
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const kind = KIND_INDEX[(entry as unknown as { detail: { kind: number } }).detail.kind];
      if (kind === undefined) continue;
      let bucket = 0;
      while (bucket < BOUNDS_MS.length && entry.duration > BOUNDS_MS[bucket]!) bucket++;
      shared.i32[I32.gcCounts + kind * (BOUNDS_MS.length + 1) + bucket]!++;
      shared.f64[F64.gcSumMs + kind]! += entry.duration;
      if (kind !== MAJOR) continue;
      // It is told of a little later than it was done.
      shared.f64[F64.oldAfterMajor] = oldUsed();
      onMajor();
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}
