// Leaks BENCH_RATE MiB/s in job "leak" as BENCH_HOW says, with job "idle" in flight beside it, until something ends the process.
// It takes the jobs when a line comes on standard input.
import { setTimeout as delay } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { connection, report } from './report.js';

const { BENCH_NAME, BENCH_HOW, BENCH_RATE } = process.env;
/** Each slice is about 64 KiB. */
const SLICE_MS = 62.5 / Number(BENCH_RATE);
const kept = [];
const pause = new Int32Array(new SharedArrayBuffer(4));

function keepObjects() {
  const rows = [];
  for (let i = 0; i < 1000; i++) rows.push({ id: i, name: i * 0.5, at: kept.length });
  kept.push(rows);
}

const keepBuffer = () => void kept.push(Buffer.alloc(64 * 1024, 1));

/** Keeps slices at the rate, without letting go of the thread. */
function leakOn(keep, forMs) {
  const begun = performance.now();
  for (let n = 1; performance.now() - begun < forMs; n++) {
    keep();
    const early = n * SLICE_MS - (performance.now() - begun);
    if (early > 0) Atomics.wait(pause, 0, 0, early);
  }
}

const LEAKS = {
  sync: () => leakOn(keepObjects, 60_000),
  buffers: () => leakOn(keepBuffer, 60_000),
  async: async () => {
    for (;;) {
      leakOn(keepObjects, 20);
      await delay(1);
    }
  },
};

const queue = new Queue(BENCH_NAME, { connection });
await queue.addBulk([
  { name: 'idle', data: {} },
  { name: 'leak', data: {} },
]);
const worker = new Worker(
  BENCH_NAME,
  async ({ name }) => {
    if (name === 'idle') await new Promise(() => {});
    await delay(100);
    await LEAKS[BENCH_HOW]();
  },
  { connection, concurrency: 2, autorun: false },
);
worker.on('error', (error) => process.stderr.write(`${error.stack}\n`));
const told = new Promise((resolve) => process.stdin.once('data', resolve));
await worker.waitUntilReady();
report('ready', { pid: process.pid });
await told;
await worker.run();
