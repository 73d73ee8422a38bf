/**
 * A worker of ten task types, run as its own process by attribution/leak.ts: `node --expose-gc leak.ts SEED SECONDS VARIANT
 * [trace]`. Prints one JSON line for each change of what the estimator says, and a last one with the final state.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { GcBudget } from '../../src/attribution/gc-budget.ts';
import { GrowthEstimator, type RetainedEstimate } from '../../src/attribution/growth.ts';

export type Variant =
  | 'leak50k'
  | 'leak50k+cache4m'
  | 'leak50k+cache8m'
  | 'leak10k'
  | 'cache2m'
  | 'cache8m'
  | 'cache20m'
  | 'leak50k+cache20m'
  | 'none';

/** One line of output. */
export interface Row {
  /** Since the process began. */
  seconds: number;
  /** By task. */
  estimates: Record<string, RetainedEstimate>;
  /** Tasks of which it is certain. */
  confirmed: string[];
  /** Whether growth was reported that no task is blamed for. */
  growth: boolean;
  collections: number;
  /** Share of the time that full collections paused the process. */
  pausedShare: number;
  /** Longest time that one observation took the estimator. */
  lookMs: number;
}

const [, , seedText = '1', secondsText = '60', variant = 'leak50k', trace = ''] = process.argv;
const collect = globalThis.gc as () => void;

let state = Number(seedText) * 0x9e3779b9;
function next(): number {
  state = (state + 0x6d2b79f5) | 0;
  let t = Math.imul(state ^ (state >>> 15), 1 | state);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
}

const kept: unknown[] = [];
const cached: unknown[] = [];
const leakBytes = variant.startsWith('leak50k') ? 50_000 : variant === 'leak10k' ? 10_000 : 0;
const cacheBytes = Number(/cache(\d+)m/.exec(variant)?.[1] ?? 0) * 1e6;

/** An array of doubles of about this size on the heap. */
function block(bytes: number): number[] {
  return Array.from({ length: bytes >> 3 }, () => next() + 0.5);
}

const handlers: Record<string, () => Promise<unknown>> = {
  async idle() {
    await sleep(20 + next() * 80);
  },
  async garbage() {
    for (let i = 0; i < 4; i++) {
      const held = block(200_000 * next());
      await sleep(5);
      held.length = 0;
    }
  },
  async strings() {
    const rows = Array.from({ length: 500 }, (_, i) => ({ id: i, name: `row ${next()}` }));
    await sleep(10);
    return JSON.parse(JSON.stringify(rows));
  },
  async leaking() {
    await sleep(10 + next() * 20);
    if (leakBytes > 0) kept.push(block(leakBytes));
  },
  async caching() {
    await sleep(10);
    if (cached.length * 20_000 < cacheBytes) cached.push(block(20_000));
  },
  async promises() {
    for (let i = 0; i < 50; i++) await null;
  },
  async map() {
    const map = new Map(Array.from({ length: 300 }, () => [`${next()}`, {}]));
    await sleep(30);
    return map.size;
  },
  async slow() {
    const held = block(50_000);
    await sleep(300 + next() * 300);
    return held.length;
  },
  async text() {
    let text = '';
    for (let i = 0; i < 300; i++) text += String(next());
    await sleep(1);
    return text.length;
  },
  async buffers() {
    const buffer = Buffer.alloc(100_000);
    await sleep(15);
    return buffer.length;
  },
};

/** Mean runs per second of each task, in the order of `handlers`; every third comes in bursts. */
const RATES = [10, 4, 3, 6, 8, 12, 5, 2, 9, 3];
const completed = new Map(Object.keys(handlers).map((task) => [task, 0]));
let inFlight = 0;
const stop = new AbortController();
const endMs = performance.now() + Number(secondsText) * 1000;

async function drive(task: string, handler: () => Promise<unknown>, index: number): Promise<void> {
  while (!stop.signal.aborted) {
    const burst = index % 3 === 2;
    const on = !burst || Math.floor(performance.now() / 4000 + index) % 3 === 0;
    const rate = RATES[index]! * (burst ? 3 : 1);
    await sleep(Math.min(2000, (-Math.log(1 - next()) * 1000) / rate));
    if (!on) continue;
    inFlight++;
    void handler().then(() => {
      inFlight--;
      completed.set(task, completed.get(task)! + 1);
    });
  }
}

const estimator = new GrowthEstimator();
const budget = new GcBudget({ startMs: performance.now() });
let paused = 0;
let collections = 0;
let lookMs = 0;
let said = '';

function heartbeat(): void {
  const now = performance.now();
  if (budget.wants(now, process.memoryUsage().heapUsed)) {
    const before = performance.now();
    collect();
    const pause = performance.now() - before;
    const heap = process.memoryUsage().heapUsed;
    paused += pause;
    collections++;
    budget.record(performance.now(), pause, heap);
    const start = performance.now();
    estimator.observe({
      usedHeapAfterMajorGc: heap,
      completedByTask: completed,
      inFlight,
      timeMs: performance.now(),
    });
    lookMs = Math.max(lookMs, performance.now() - start);
    if (trace === 'trace') {
      const row = [now / 1000, heap, pause, inFlight, kept.length, cached.length].map((v) => Math.round(v));
      process.stderr.write(`${row.join(' ')}\n`);
    }
    say(false);
  }
  if (now < endMs) return;
  clearInterval(beat);
  stop.abort();
  say(true);
}

function say(last: boolean): void {
  const estimates = [...estimator.estimates()];
  const growth = estimator.unattributed() !== undefined;
  const confirmed = [...estimator.findings()].flatMap(([task, { state }]) =>
    state === 'confirmed' ? task : [],
  );
  const now = `${estimates.map(([task]) => task).join()} ${confirmed.join()} ${growth}`;
  if (now === said && !last) return;
  said = now;
  const seconds = performance.now() / 1000;
  const pausedShare = paused / performance.now();
  const row = {
    seconds,
    estimates: Object.fromEntries(estimates),
    confirmed,
    growth,
    collections,
    pausedShare,
    lookMs,
    last,
  };
  process.stdout.write(`${JSON.stringify(row)}\n`);
}

const beat = setInterval(heartbeat, 100);
for (const [index, [task, handler]] of Object.entries(handlers).entries()) void drive(task, handler, index);
