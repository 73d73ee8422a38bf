// Holds three jobs named after BENCH_NAME in flight for BENCH_HOLD_MS, then dies as BENCH_HOW says; `killed` waits to be killed.
// It takes the jobs when a line comes on standard input.
import { setTimeout as delay } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { connection, report } from './report.js';

const { BENCH_NAME, BENCH_HOW, BENCH_HOLD_MS } = process.env;
const JOBS = 3;
const queue = new Queue(BENCH_NAME, { connection });
await queue.addBulk(Array.from({ length: JOBS }, (_, i) => ({ name: `${BENCH_NAME}-${i}`, data: {} })));

const DIE = {
  killed: () => report('ready'),
  heap: () => {
    const kept = [];
    for (;;) kept.push(new Array(1000).fill({}));
  },
  oom: async () => {
    const kept = [];
    for (;;) {
      kept.push(Buffer.alloc(4 << 20, 1));
      await delay(1);
    }
  },
};
let begun = 0;
const worker = new Worker(
  BENCH_NAME,
  async () => {
    if (++begun === JOBS) setTimeout(DIE[BENCH_HOW], Number(BENCH_HOLD_MS));
    await new Promise(() => {});
  },
  { connection, concurrency: JOBS, autorun: false },
);
worker.on('error', (error) => process.stderr.write(`${error.stack}\n`));
const told = new Promise((resolve) => process.stdin.once('data', resolve));
await worker.waitUntilReady();
await told;
await worker.run();
