/**
 * Seven types of tasks that share one event loop and know what they use. Reports, for each concurrency of BENCH_CONCURRENCY, what every
 * run did, by a clock around each piece of its work and by the amount of it; then, with BENCH_ALLOCATION_MS, what five types allocated.
 */
import { hash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { median } from '../lib/stats.ts';
import { report } from './report.js';

/** What a run knows of its own work: in units of about 1 ms, and in ms of CPU by the clock. */
interface Work {
  units: number;
  ms: number;
}

type Handler = (run: Work, scale: number) => Promise<unknown>;
type MakeTask = <F extends (...args: never[]) => unknown>(name: string, handler: F, options: object) => F;

const { BENCH_INDEX, BENCH_URL, BENCH_REDIS_PORT, BENCH_CONCURRENCY, BENCH_MS, BENCH_ALLOCATION_MS } =
  process.env;
const { task } = (await import(BENCH_INDEX!)) as { task: MakeTask };
const redis = new Redis({ host: '127.0.0.1', port: Number(BENCH_REDIS_PORT) });
await redis.set('key', 'x'.repeat(200));

/** Calls of each type that tell what it costs beside its own work. */
const CALIBRATION_MS = 1500;
/** The median of several rounds is taken: a machine below this one may be busy for a moment. */
const ROUND_MS = 300;
/** Units of work before and after each load. */
const UNITS = 100;

const CHUNK_OF_WORK = Buffer.alloc(32_768);
/** Chunks that take about 1 ms here; what they take exactly is told by the thread's CPU time. */
const PER_MS = perMs();
/**
 * A chunk that takes longer was interrupted: the thread waited for a CPU, or in a collection for V8's other threads, or for a page of memory. It counts
 * as the one before it. So the truth is CPU time without a word from the kernel.
 */
const LONGEST_CHUNK_MS = 2.5 / PER_MS;

/** Work of a known amount: time would go on while the thread waits for a CPU, and V8 compiles a loop of ours anew when it likes. */
function work(chunks: number): void {
  for (let i = 0; i < chunks; i++) hash('sha1', CHUNK_OF_WORK, 'buffer');
}

function perMs(): number {
  let most = 0;
  for (let round = 0; round < 50; round++) {
    const start = performance.now();
    work(20);
    most = Math.max(most, 20 / (performance.now() - start));
  }
  return most;
}

function spin(run: Work, ms: number): void {
  const chunks = Math.round(ms * PER_MS);
  let usual = 1 / PER_MS;
  let last = performance.now();
  for (let i = 0; i < chunks; i++) {
    work(1);
    const at = performance.now();
    if (at - last < LONGEST_CHUNK_MS) usual = at - last;
    run.ms += usual;
    last = at;
  }
  run.units += chunks / PER_MS;
}

/** One helper for all that await it: by the stack its work belongs to nobody. */
async function shared(run: Work, ms: number): Promise<void> {
  await null;
  spin(run, ms);
  await null;
}

const HANDLERS: Readonly<Record<string, Handler>> = {
  async microtasks(run, scale) {
    for (let i = 0; i < 20; i++) {
      await null;
      spin(run, 0.2 * scale);
    }
  },
  async timers(run, scale) {
    for (let i = 0; i < 4; i++) {
      await sleep(2);
      spin(run, 1.5 * scale);
    }
  },
  async fs(run, scale) {
    for (let i = 0; i < 3; i++) {
      await readFile(import.meta.filename);
      spin(run, 0.8 * scale);
    }
  },
  async fetch(run, scale) {
    for (let i = 0; i < 2; i++) {
      // A server may close a connection that has been idle just when it is used again.
      await fetch(BENCH_URL!).then(
        (response) => response.text(),
        () => '',
      );
      spin(run, 2.5 * scale);
    }
  },
  async socket(run, scale) {
    for (let i = 0; i < 6; i++) {
      await redis.get('key');
      spin(run, 0.5 * scale);
    }
  },
  async helper(run, scale) {
    for (let i = 0; i < 5; i++) {
      await shared(run, 0.4 * scale);
      await turn();
    }
  },
  async idle() {
    await sleep(20);
  },
};
const NAMES = Object.keys(HANDLERS);

function threadMs(): number {
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}

/** CPU time of a unit of work, ms: other threads of the same core make it longer. */
function unitMs(): number {
  const before = threadMs();
  const chunks = Math.round(UNITS * PER_MS);
  work(chunks);
  return ((threadMs() - before) * PER_MS) / chunks;
}

/** What the thread does beside runs, ms of CPU each ms: the least of some times, as what came before may have left something to do. */
async function background(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 4; i++) {
    const [start, cpu] = [performance.now(), threadMs()];
    await sleep(ROUND_MS);
    least = Math.min(least, (threadMs() - cpu) / (performance.now() - start));
  }
  return least;
}

/**
 * What a run of each type costs beside its work, ms of CPU: with as many at a time as there will be, all of one type. They work as they
 * will, too, as caches that work has emptied make all else dearer.
 */
async function calibrate(concurrency: number, rest: number): Promise<number[]> {
  const costs: number[] = [];
  for (const name of NAMES) {
    const call = asTask(name, 'calibration');
    const runs = (ms: number) => haveRuns(concurrency, performance.now() + ms, () => call);
    await runs(ROUND_MS / 10);
    const rounds: number[] = [];
    for (const end = performance.now() + CALIBRATION_MS; performance.now() < end; ) {
      const [start, cpu] = [performance.now(), threadMs()];
      const done = await runs(ROUND_MS);
      const all = threadMs() - cpu - rest * (performance.now() - start);
      rounds.push((all - done.reduce((sum, { ms }) => sum + ms, 0)) / done.length);
    }
    costs.push(median(rounds));
  }
  return costs;
}

type Call = (run: Work, scale: number, id: number) => Promise<unknown>;

function asTask(name: string, queue: string): Call {
  const jobId = (_run: unknown, _scale: number, id: number): string => `${queue}-${id}`;
  const handler = async (run: Work, scale: number, _id: number) => HANDLERS[name]!(run, scale);
  return task(name, handler, { queue, jobId });
}

/** Has runs one after the other in each of `concurrency` loops, until a time of performance.now(). @returns what they did, by their number */
async function haveRuns(concurrency: number, end: number, which: (id: number) => Call): Promise<Work[]> {
  const done: Work[] = [];
  const loop = async (): Promise<void> => {
    while (performance.now() < end) {
      const run = { units: 0, ms: 0 };
      const id = done.push(run) - 1;
      await which(id)(run, 0.3 + 1.7 * Math.random(), id);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, loop));
  return done;
}

function rounded(ms: number): number {
  return Number(ms.toFixed(4));
}

async function load(concurrency: number): Promise<void> {
  const queue = `c${concurrency}`;
  const rest = await background();
  const costs = await calibrate(concurrency, rest);
  const calls = NAMES.map((name) => asTask(name, queue));
  const before = unitMs();
  const [start, cpu] = [performance.now(), threadMs()];
  const done = await haveRuns(concurrency, start + Number(BENCH_MS), (id) => calls[id % calls.length]!);
  const thread = threadMs() - cpu - rest * (performance.now() - start);
  report('runs', {
    concurrency,
    names: NAMES,
    costs,
    spun: done.map(({ ms, units }, id) => [id % calls.length, id, rounded(ms), rounded(units)]),
    threadMs: thread,
    unitMs: (before + unitMs()) / 2,
  });
}

/** Chunks that a run of each type allocates. */
const CHUNKS = [1, 5, 20, 60, 250];
const CHUNK = 50;
let sink: unknown;

async function allocate(): Promise<void> {
  const chunks = CHUNKS.map(() => 0);
  const calls = CHUNKS.map((count, type) =>
    task(
      `allocates-${type}`,
      async () => {
        for (let i = 0; i < count; i++) {
          sink = Array.from({ length: CHUNK }, (_, at) => ({ at, text: `${at}`, more: [at] }));
          chunks[type]!++;
          await (i % 8 === 0 ? turn() : null);
        }
      },
      { queue: 'allocation' },
    ),
  );
  const end = performance.now() + Number(BENCH_ALLOCATION_MS);
  let next = 0;
  const loop = async (): Promise<void> => {
    while (performance.now() < end) await calls[next++ % calls.length]!();
  };
  await Promise.all(Array.from({ length: 40 }, loop));
  report('allocated', { chunks, sink: typeof sink });
}

// What begins together with the process is not part of it.
await sleep(1500);
for (const concurrency of (BENCH_CONCURRENCY ?? '').split(',').filter(Boolean).map(Number))
  await load(concurrency);
if (Number(BENCH_ALLOCATION_MS) > 0) await allocate();
redis.disconnect();
