// Blocks the event loop for BENCH_BLOCK_MS in every job and reports when each block begins and ends; ends after BENCH_JOBS jobs.
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { connection, now, report } from './report.js';

const { BENCH_BLOCK_MS, BENCH_JOBS, BENCH_SETTLE_MS } = process.env;
const last = Promise.withResolvers();
let seen = 0;
const worker = new Worker(
  'bench',
  async (job) => {
    await delay(job.data.pauseMs);
    const begin = now();
    report('begin', { task: job.name, at: begin });
    while (now() < begin + Number(BENCH_BLOCK_MS));
    report('end', { task: job.name, at: now() });
    if (++seen === Number(BENCH_JOBS)) last.resolve();
  },
  { connection, autorun: false },
);
worker.on('error', (error) => process.stderr.write(`${error.stack}\n`));
await worker.waitUntilReady();
await delay(Number(BENCH_SETTLE_MS));
const running = worker.run();
await last.promise;
await delay(1000);
await worker.close();
await running;
