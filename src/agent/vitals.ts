import v8 from 'node:v8';
import type { Inbox } from '../bridge/inbox.ts';
import { F64, GC_KINDS, I32, lateBound, MAX_SPACES } from '../bridge/protocol.ts';
import type { Labels } from '../model/labels.ts';
import { METRICS, type MetricName } from '../model/metrics.ts';
import type { Registry } from '../store/registry.ts';

/** The counters lie in the first words of the shared memory, the sums among its first numbers. */
const HEADER_WORDS = 256;
const HEADER_NUMBERS = 256;
const LATE_BUCKETS = 64;
const GC_BUCKETS = (METRICS['v8js.gc.duration'].buckets?.length ?? 0) + 1;
/** The same V8 in both threads: same spaces in the same order. */
const SPACES: readonly string[] = v8.getHeapSpaceStatistics().map((space) => space.space_name);

/** What a thread's shared memory says of the thread itself → series. */
export class Vitals {
  readonly #inbox: Inbox;
  readonly #registry: Registry;
  /** Vital signs are those of the main thread; of other threads only what they dropped counts. */
  readonly #isMain: boolean;
  readonly #counted: Int32Array;
  readonly #summed: Float64Array;

  /** @param isSuccessor whether another agent has counted before this one, whose series begin at 0 now */
  constructor(inbox: Inbox, registry: Registry, isMain: boolean, isSuccessor = false) {
    const { i32, f64 } = inbox.shared;
    this.#inbox = inbox;
    this.#registry = registry;
    this.#isMain = isMain;
    this.#counted = isSuccessor ? i32.slice(0, HEADER_WORDS) : new Int32Array(HEADER_WORDS);
    this.#summed = isSuccessor ? f64.slice(0, HEADER_NUMBERS) : new Float64Array(HEADER_NUMBERS);
    // Of all agents together: it is 0 with the first alone.
    this.#counted[I32.agentRestarts] = 0;
  }

  /** Reads everything once; what is "since the last reading" is since the last call. */
  collect(): void {
    this.#count('taskwarden.records.dropped', { reason: 'ring_full' }, I32.droppedRing);
    this.#count('taskwarden.records.dropped', { reason: 'table_full' }, I32.droppedTable);
    this.#count('taskwarden.records.dropped', { reason: 'handles_full' }, I32.droppedHandles);
    this.#count('taskwarden.tasks.folded', {}, I32.foldedRuns);
    this.#count('taskwarden.errors', { part: 'main' }, I32.errors);
    this.#sum('taskwarden.worker.cpu.unattributed', { kind: 'no_task' }, F64.unattributedMs);
    if (!this.#isMain) return;
    this.#count('taskwarden.agent.restarts', {}, I32.agentRestarts);
    this.#heap();
    this.#gc();
    this.#loop();
  }

  /** Adds what a 32-bit counter grew by; it may wrap. */
  #count(name: MetricName, attributes: Labels, index: number): void {
    const value = Atomics.load(this.#inbox.shared.i32, index);
    this.#registry.add(name, attributes, (value - this.#counted[index]!) >>> 0);
    this.#counted[index] = value;
  }

  /** Adds what a sum of milliseconds grew by, in seconds. */
  #sum(name: MetricName, attributes: Labels, index: number): number {
    const grown = Math.max(0, this.#grown(index)) / 1000;
    this.#registry.add(name, attributes, grown);
    return grown;
  }

  /** What a sum grew by since it was last asked for. */
  #grown(index: number): number {
    const value = this.#inbox.shared.f64[index]!;
    const grown = value - this.#summed[index]!;
    this.#summed[index] = value;
    return grown;
  }

  #heap(): void {
    const { f64 } = this.#inbox.shared;
    const used = f64[F64.usedHeap]!;
    const limit = f64[F64.heapLimit]!;
    this.#registry.set('v8js.memory.heap.used', {}, used);
    this.#registry.set('taskwarden.worker.heap.limit', {}, limit);
    this.#registry.set('taskwarden.worker.heap.utilization', {}, used / limit);
    for (let i = 0; i < Math.min(SPACES.length, MAX_SPACES); i++) {
      const attributes = { 'v8js.heap.space.name': SPACES[i]! };
      const at = F64.spaces + 3 * i;
      this.#registry.set('v8js.memory.heap.space.size', attributes, f64[at]!);
      this.#registry.set('v8js.memory.heap.space.available_size', attributes, f64[at + 1]!);
      this.#registry.set('v8js.memory.heap.space.physical_size', attributes, f64[at + 2]!);
    }
  }

  #gc(): void {
    const { i32 } = this.#inbox.shared;
    for (const [kind, type] of GC_KINDS.entries()) {
      const point = this.#registry.histogram('v8js.gc.duration', { 'v8js.gc.type': type });
      for (let bucket = 0; bucket < GC_BUCKETS; bucket++) {
        const index = I32.gcCounts + kind * GC_BUCKETS + bucket;
        const grown = (i32[index]! - this.#counted[index]!) >>> 0;
        this.#counted[index] = i32[index]!;
        point.counts[bucket]! += grown;
        point.count += grown;
      }
      point.sum += this.#grown(F64.gcSumMs + kind) / 1000;
    }
  }

  #loop(): void {
    const active = this.#sum('nodejs.eventloop.time', { 'nodejs.eventloop.state': 'active' }, F64.activeMs);
    const idle = this.#sum('nodejs.eventloop.time', { 'nodejs.eventloop.state': 'idle' }, F64.idleMs);
    if (active + idle > 0) this.#registry.set('nodejs.eventloop.utilization', {}, active / (active + idle));
    this.#delays();
  }

  #delays(): void {
    const { i32 } = this.#inbox.shared;
    const counts: number[] = [];
    for (let bucket = 0; bucket < LATE_BUCKETS; bucket++) {
      const value = i32[I32.late + bucket]!;
      counts.push((value - this.#counted[I32.late + bucket]!) >>> 0);
      this.#counted[I32.late + bucket] = value;
    }
    const total = counts.reduce((sum, count) => sum + count, 0);
    const sum = this.#grown(F64.lateSumMs);
    const squares = this.#grown(F64.lateSquaresMs);
    // Without a beat since the last reading the loop is blocked: the figures stay as they are, the block is told elsewhere.
    if (total === 0) return;
    const set = (name: MetricName, ms: number): void => this.#registry.set(name, {}, ms / 1000);
    const mean = sum / total;
    set('nodejs.eventloop.delay.min', lateBound(counts.findIndex((count) => count > 0)));
    set('nodejs.eventloop.delay.max', lateBound(counts.findLastIndex((count) => count > 0)));
    set('nodejs.eventloop.delay.mean', mean);
    set('nodejs.eventloop.delay.stddev', Math.sqrt(Math.max(0, squares / total - mean * mean)));
    set('nodejs.eventloop.delay.p50', quantile(counts, total, 0.5));
    set('nodejs.eventloop.delay.p90', quantile(counts, total, 0.9));
    set('nodejs.eventloop.delay.p99', quantile(counts, total, 0.99));
  }
}

/** Upper bound of the bucket in which the quantile falls, ms. */
function quantile(counts: readonly number[], total: number, q: number): number {
  let seen = 0;
  for (const [bucket, count] of counts.entries()) {
    seen += count;
    if (seen >= q * total) return lateBound(bucket);
  }
  return lateBound(counts.length - 1);
}
