import { WRITE_HEAP_FIGURES } from '../../bridge/heap-figures.ts';
import type { ActiveRun, Inbox } from '../../bridge/inbox.ts';
import { F64, GC_KINDS, I32, MAX_SPACES, SLOT_COUNT, type TaskKey } from '../../bridge/protocol.ts';
import { type Labels, labelsKey } from '../../model/labels.ts';
import { METRICS } from '../../model/metrics.ts';
import type { Registry } from '../../store/registry.ts';
import type { MainThread } from '../blocks/main-thread.ts';
import { taskAttributes } from '../ingest.ts';
import { GrowthTrace, MEMORY_KINDS, type Suspect } from './growth-trace.ts';
import type { Group, KernelMemory, ProcessMemory } from './kernel-memory.ts';
import { LiveHeap } from './live-heap.ts';
import { FIRST_MARK, Marks } from './marks.ts';
import { TimeLeft } from './time-left.ts';

/** How often limits are looked at when nothing is near, when something is, and when it grows fast, ms. */
const SLOW_MS = 5000;
const NEAR_MS = 250;
const FAST_MS = 50;
/** Growth of the process since the last look, as a share of the least room that is left, from which it grows fast. */
const FAST_SHARE = 0.05;
/** The same since the heap's figures were written, as a share of its limit, from which they are old. */
const NEWS_SHARE = 0.02;
/** Silence of the heartbeat from which the figures that it refreshes are old, ms. */
const SILENT_MS = 120;
/** How long the main thread may take to write its figures, ms: a full collection keeps it that long. */
const ANSWER_MS = 2000;
/** How long all else waits for its answer, ms. */
const PATIENCE_MS = 200;

/** Time to a limit from half of which on each further twentieth is told at once, ms. */
const SOON_MS = 1000;

/** Has the main thread write its figures and say which run it is busy with. */
const QUESTION = {
  expression: `(() => { const slot = globalThis[Symbol.for('taskwarden.slot')]?.(); ${WRITE_HEAP_FIGURES}; return slot })()`,
  returnByValue: true,
  silent: true,
};

const GC_BUCKETS = (METRICS['v8js.gc.duration'].buckets?.length ?? 0) + 1;
const MAJOR = I32.gcCounts + GC_KINDS.indexOf('major') * GC_BUCKETS;

type Limit = 'old_space' | 'cgroup' | 'rss' | 'data';
/** Limits of what the kernel counts, at every moment. What is alive of the heap is known now and then, and leaps. */
const COUNTED = ['cgroup', 'rss', 'data'] as const satisfies readonly Limit[];

export interface ExhaustionOptions {
  /** Of the main thread. */
  readonly inbox: Inbox;
  readonly main: Pick<MainThread, 'post'>;
  readonly kernel: Pick<KernelMemory, 'process' | 'group' | 'dataLimit'>;
  readonly registry: Registry;
  /** Bytes; 0 for none. */
  readonly rssLimit: number;
  /** Runs in flight in all threads. */
  readonly active: () => ActiveRun[];
  /** A mark has been passed: rules are to be evaluated now. */
  readonly onMark: () => void;
}

/**
 * How near the limits of memory are, and who is there while it gets tighter. While nothing is near it reads one line of /proc at each
 * check; the main thread is asked for its heap only while it is silent, or grows fast, and may be near its limit.
 */
export class Exhaustion {
  readonly #options: ExhaustionOptions;
  readonly #heap = new LiveHeap();
  readonly #trace = new GrowthTrace();
  readonly #marks = new Marks();
  readonly #soon = new Marks();
  readonly #timesLeft = { cgroup: new TimeLeft(), rss: new TimeLeft(), data: new TimeLeft() };
  /** Bytes. */
  readonly #standing = new Map<Limit, { readonly used: number; readonly of: number }>();
  #majors = -1;
  #beat = -1;
  #isAsking = false;
  #askedAt = Number.NEGATIVE_INFINITY;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #slowAt = Number.NEGATIVE_INFINITY;
  /** Resident memory when the heap's figures were written last, and at the last look. */
  #rssAtHeap = 0;
  #rssAtLook = 0;
  /** Bytes to the nearest limit, at the last look. */
  #room = Number.POSITIVE_INFINITY;
  #group: Group | undefined;
  #dataLimit: number | undefined;
  /** Slot of the run that the main thread was busy with when it wrote its figures; undefined once it has gone on. */
  #holder: number | undefined;
  #isNear = false;
  #named: readonly Suspect[] = [];

  constructor(options: ExhaustionOptions) {
    this.#options = options;
  }

  /** To be called every 50 ms or so, with a monotonic time. */
  check(nowMs: number): void {
    const memory = this.#options.kernel.process() ?? { rss: 0, data: 0 };
    this.#readHeap(memory.rss);
    this.#askWhereNeeded(nowMs, memory.rss);
    const isFast = memory.rss - this.#rssAtLook > FAST_SHARE * this.#room;
    const pause = isFast ? FAST_MS : this.#isNear ? NEAR_MS : SLOW_MS;
    if (nowMs - this.#lookedAt >= pause * 0.9) this.#look(nowMs, memory, true);
  }

  /** Takes the figures that the main thread has written since the last check. */
  #readHeap(rss: number): void {
    const { i32, f64 } = this.#options.inbox.shared;
    let majors = 0;
    for (let bucket = 0; bucket < GC_BUCKETS; bucket++) majors += i32[MAJOR + bucket]!;
    if (majors !== this.#majors) {
      this.#majors = majors;
      if (f64[F64.oldAfterMajor]! > 0) this.#heap.collected(f64[F64.oldAfterMajor]!);
    }
    const beat = Atomics.load(i32, I32.beat);
    if (beat === this.#beat) return;
    this.#beat = beat;
    this.#holder = undefined;
    const used = f64[F64.oldUsed]!;
    if (used === this.#heap.used) return;
    this.#heap.saw(used);
    this.#rssAtHeap = rss;
  }

  #askWhereNeeded(nowMs: number, rss: number): void {
    const { inbox, main } = this.#options;
    const limit = inbox.shared.f64[F64.heapLimit]!;
    const grown = Math.max(0, rss - this.#rssAtHeap);
    const isSilent = inbox.lagMs() > SILENT_MS;
    // The heap may have taken what was free in its pages, by which the process does not grow.
    const reserve = isSilent ? this.#reserve() : 0;
    const mayBeNear = this.#isNear || this.#heap.used + reserve + grown >= FIRST_MARK * limit;
    const isNews = isSilent || grown > NEWS_SHARE * limit;
    if (!mayBeNear || !isNews || this.#isAsking || inbox.closed || nowMs - this.#askedAt < FAST_MS) return;
    this.#isAsking = true;
    this.#askedAt = nowMs;
    void main
      .post<{ result?: { value?: unknown } }>('Runtime.evaluate', QUESTION, ANSWER_MS)
      .then((answer) => {
        this.#isAsking = false;
        if (answer !== undefined) this.#answered(answer.result?.value);
      });
  }

  #answered(slot: unknown): void {
    const memory = this.#options.kernel.process() ?? { rss: 0, data: 0 };
    this.#heap.saw(this.#options.inbox.shared.f64[F64.oldUsed]!);
    this.#rssAtHeap = memory.rss;
    const isSlot = typeof slot === 'number' && slot >= 0 && slot < SLOT_COUNT;
    this.#holder = isSlot ? slot : undefined;
    this.#look(this.#askedAt, memory, false);
  }

  /** Free bytes in the pages of the heap. */
  #reserve(): number {
    const { f64 } = this.#options.inbox.shared;
    let free = 0;
    for (let space = 0; space < MAX_SPACES; space++) free += f64[F64.spaces + 3 * space + 1]!;
    return free;
  }

  /** @param isPresent whether `memory` was read at that time, and not later */
  #look(nowMs: number, memory: ProcessMemory, isPresent: boolean): void {
    const { kernel, inbox, rssLimit, onMark } = this.#options;
    this.#lookedAt = nowMs;
    this.#rssAtLook = memory.rss;
    if (nowMs - this.#slowAt >= SLOW_MS) {
      this.#slowAt = nowMs;
      this.#dataLimit = kernel.dataLimit();
    }
    this.#group = kernel.group();
    this.#room = Number.POSITIVE_INFINITY;
    const heapLimit = inbox.shared.f64[F64.heapLimit]!;
    let passed = this.#set('old_space', this.#heap.live(heapLimit), heapLimit);
    passed = this.#set('cgroup', this.#group?.workingSet, this.#group?.limit) || passed;
    passed = this.#set('rss', memory.rss, rssLimit) || passed;
    passed = this.#set('data', memory.data, this.#dataLimit) || passed;
    if (isPresent) passed = this.#tellTimeLeft(nowMs) || passed;
    const wasNear = this.#isNear;
    this.#isNear = [...this.#standing.values()].some(({ used, of }) => used >= FIRST_MARK * of);
    // What the main thread is about to say tells who is to be suspected of what has grown by now.
    if (!this.#isAsking || nowMs - this.#askedAt >= PATIENCE_MS) this.#traceGrowth(nowMs, memory.rss);
    if (this.#isNear) this.#tellGrowth();
    else if (wasNear) this.#hideGrowth();
    if (passed) onMark();
  }

  /** @returns whether a mark has been passed */
  #set(limit: Limit, used: number | undefined, of: number | undefined): boolean {
    const { registry } = this.#options;
    if (used === undefined || of === undefined || of <= 0) {
      this.#standing.delete(limit);
      registry.remove('taskwarden.memory.utilization', { limit });
      registry.remove('taskwarden.memory.limit', { limit });
      return false;
    }
    const share = used / of;
    this.#standing.set(limit, { used, of });
    this.#room = Math.min(this.#room, Math.max(0, of - used));
    registry.set('taskwarden.memory.utilization', { limit }, share);
    registry.set('taskwarden.memory.limit', { limit }, of);
    return this.#marks.passes(limit, share);
  }

  /** @returns whether a limit has come so near that it is to be told at once */
  #tellTimeLeft(nowMs: number): boolean {
    const { registry } = this.#options;
    let isNews = false;
    for (const limit of COUNTED) {
      const { used, of } = this.#standing.get(limit) ?? { used: 0, of: Number.POSITIVE_INFINITY };
      const leftMs = this.#timesLeft[limit].until(of, used, nowMs);
      if (leftMs === undefined || used < FIRST_MARK * of)
        registry.remove('taskwarden.memory.time_left', { limit });
      else registry.set('taskwarden.memory.time_left', { limit }, leftMs / 1000);
      isNews = this.#soon.passes(limit, 1 - (leftMs ?? SOON_MS) / SOON_MS) || isNews;
    }
    return isNews;
  }

  #traceGrowth(nowMs: number, rss: number): void {
    const { f64 } = this.#options.inbox.shared;
    const [heap, external] = [f64[F64.usedHeap]!, f64[F64.external]!];
    const memory = {
      heap,
      external,
      other: Math.max(0, rss - heap - external),
      page_cache: this.#group === undefined ? 0 : Math.max(0, this.#group.workingSet - rss),
    };
    this.#trace.add(nowMs, memory, this.#runs());
  }

  #tellGrowth(): void {
    const growth = this.#trace.growth();
    for (const kind of MEMORY_KINDS)
      this.#options.registry.set('taskwarden.memory.growth', { 'memory.kind': kind }, growth[kind]);
    this.#name(this.#trace.suspects());
  }

  #hideGrowth(): void {
    for (const kind of MEMORY_KINDS)
      this.#options.registry.remove('taskwarden.memory.growth', { 'memory.kind': kind });
    this.#name([]);
  }

  #name(suspects: readonly Suspect[]): void {
    const { registry } = this.#options;
    const gone = new Map(this.#named.map((suspect) => [labelsKey(suspicionOf(suspect)), suspect]));
    for (const suspect of suspects) {
      registry.set('task.memory.suspicion', suspicionOf(suspect), suspect.share);
      gone.delete(labelsKey(suspicionOf(suspect)));
    }
    for (const suspect of gone.values()) registry.remove('task.memory.suspicion', suspicionOf(suspect));
    this.#named = suspects;
  }

  /** Runs in flight of each task; where it is known which of them the thread is busy with, that one alone. */
  #runs(): Map<TaskKey, number> {
    const { inbox, active } = this.#options;
    const current = inbox.lagMs() > SILENT_MS ? inbox.current() : 'unknown';
    // Code outside of runs holds the thread.
    if (current === undefined) return new Map();
    const slot = current === 'unknown' ? this.#holder : current;
    const holder = slot === undefined ? undefined : inbox.slot(slot);
    const runs = new Map<TaskKey, number>();
    for (const { task } of holder === undefined ? active() : [holder])
      runs.set(task, (runs.get(task) ?? 0) + 1);
    return runs;
  }
}

function suspicionOf({ task, exclusive }: Suspect): Labels {
  return { ...taskAttributes(task), 'task.suspicion': exclusive ? 'exclusive' : 'shared' };
}
