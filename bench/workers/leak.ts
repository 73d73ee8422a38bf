/**
 * A worker of ten task types, run as its own process by attribution/leak.ts: `node --expose-gc leak.ts SCENARIO SEED SECONDS`. Prints what its
 * memory is after each of its full collections, and how many runs of each task have ended by then.
 */
import { createSecretKey } from 'node:crypto';
import { openSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import v8 from 'node:v8';
import { random } from '../../test/attribution/synthetic.ts';
import { type Cache, type Head, type Leak, type SampleLine, SCENARIOS } from './leak-scenarios.ts';

const [, , name = '', seedText = '1', secondsText = '60'] = process.argv;
const scenario = SCENARIOS[name];
if (scenario === undefined) throw new Error(`there is no scenario "${name}"`);
const { load, leak, caches = [] } = scenario;
const collect = globalThis.gc as () => void;
const next = random(Number(seedText));
const lastS = Number(secondsText);
const seconds = (): number => performance.now() / 1000;

/** Mean time between two collections; about 15 runs of a type come in it. */
const COLLECT_EVERY_MS = 400;
const TTL_MS = 10_000;

/** An array of doubles of about this size on the heap. */
function block(bytes: number): number[] {
  return Array.from({ length: bytes >> 3 }, () => next() + 0.5);
}

const kept: unknown[] = [];

function leaks({ kind, amount, chance = 1, fromS = 0, untilS = Number.POSITIVE_INFINITY }: Leak): void {
  if (seconds() < fromS || seconds() >= untilS || next() >= chance) return;
  if (kind === 'heap') kept.push(block(amount));
  else if (kind === 'external') kept.push(Buffer.allocUnsafeSlow(amount).fill(1));
  // V8 is not told of a key's bytes.
  else if (kind === 'rss') kept.push(createSecretKey(Buffer.alloc(amount, 1)));
  else kept.push(openSync('/dev/null', 'r'));
}

/** What a run of a task with this cache does. */
function caching({ kind, entry, capacity, keys }: Cache): () => void {
  const entries = new Map<number, { at: number; value: unknown }>();
  const most = Math.round(capacity / entry);
  let newest = 0;
  return () => {
    const key = keys === 'random' ? Math.floor(next() * most) : newest++;
    if (entries.has(key) || (keys === 'distinct' && entries.size >= most)) return;
    if (keys === 'batch' && entries.size >= most) entries.clear();
    for (const [oldest, { at }] of entries) {
      const isOver = keys === 'ttl' ? performance.now() - at > TTL_MS : entries.size >= most;
      if (!isOver) break;
      entries.delete(oldest);
    }
    const value = kind === 'heap' ? block(entry) : Buffer.allocUnsafeSlow(entry).fill(1);
    entries.set(key, { at: performance.now(), value });
  };
}

const [cacheOne, cacheTwo] = caches.map(caching);

const handlers: Record<string, () => Promise<unknown>> = {
  async idle() {
    await sleep(20 + next() * 80);
  },
  async garbage() {
    for (let i = 0; i < 4; i++) {
      const held = block(20_000 * next());
      await sleep(2);
      held.length = 0;
    }
  },
  async strings() {
    const rows = Array.from({ length: 100 }, (_, i) => ({ id: i, name: `row ${next()}` }));
    await sleep(10);
    return JSON.parse(JSON.stringify(rows));
  },
  async leaking() {
    await sleep(5 + next() * 20);
    if (leak !== undefined) leaks(leak);
  },
  async caching() {
    await sleep(5);
    cacheOne?.();
  },
  async promises() {
    for (let i = 0; i < 50; i++) await null;
  },
  async map() {
    const map = new Map(Array.from({ length: 100 }, () => [`${next()}`, {}]));
    await sleep(10);
    return map.size;
  },
  async slow() {
    const held = block(20_000);
    await sleep((200 + next() * 300) * (load === 'backlog' ? seconds() : 1));
    return held.length;
  },
  async text() {
    let text = '';
    for (let i = 0; i < 50; i++) text += String(next());
    await sleep(1);
    cacheTwo?.();
    return text.length;
  },
  async buffers() {
    const buffer = Buffer.alloc(20_000);
    await sleep(15);
    return buffer.length;
  },
};

/** Mean runs per second of each task, in the order of `handlers`. */
const RATES = [50, 25, 20, 38, 45, 60, 30, 12, 45, 20];
const tasks = Object.keys(handlers);
const runs = tasks.map(() => 0);
let inFlight = 0;

/** How often a task comes now, as a share of its mean rate. */
function intensity(task: number): number {
  const now = seconds();
  if (load === 'rising') return 0.5 + (1.5 * now) / lastS;
  if (load === 'waves') return Math.floor(now / 3) % 2 === 0 ? 1.8 : 0.2;
  if (task % 3 !== 2) return 1;
  return Math.floor(now / 1.5 + task) % 3 === 0 ? 3 : 0;
}

async function drive(task: number, handler: () => Promise<unknown>): Promise<void> {
  // Faster than the task ever comes; what is too much is thinned out.
  const most = 3 * RATES[task]!;
  while (seconds() < lastS) {
    await sleep(Math.min(2000, (-Math.log(1 - next()) * 1000) / most));
    if (next() >= intensity(task) / 3) continue;
    inFlight++;
    void handler().then(() => {
      inFlight--;
      runs[task]!++;
    });
  }
}

function sample(): void {
  collect();
  const { used_heap_size: heap, external_memory: external } = v8.getHeapStatistics();
  const pages = v8.getHeapSpaceStatistics().reduce((sum, space) => sum + space.physical_space_size, 0);
  const rss = process.memoryUsage.rss() - pages - external;
  const descriptors = readdirSync('/proc/self/fd').length;
  const line: SampleLine = [
    Math.round(performance.now()),
    heap,
    external,
    rss,
    descriptors,
    inFlight,
    ...runs,
  ];
  process.stdout.write(`${JSON.stringify(line)}\n`);
  if (seconds() < lastS) setTimeout(sample, COLLECT_EVERY_MS * (0.7 + 0.6 * next()));
}

process.stdout.write(`${JSON.stringify({ scenario: name, seed: Number(seedText), tasks } satisfies Head)}\n`);
for (const [task, handler] of Object.values(handlers).entries()) void drive(task, handler);
setTimeout(sample, COLLECT_EVERY_MS);
