// A BullMQ worker with BENCH_RUNS handler runs that only wait: what its main thread takes meanwhile, as a share of a core.
import { setTimeout as delay } from 'node:timers/promises';
import { Queue, Worker } from 'bullmq';
import { connection, report } from './report.js';

const runs = Number(process.env.BENCH_RUNS);
const ms = Number(process.env.BENCH_MS);
/** Loading is over by then. */
const SETTLE_MS = 4000;

const queue = new Queue('waiting', { connection });
const worker = new Worker('waiting', () => delay(SETTLE_MS + ms + 60_000), { connection, concurrency: 10 });
await worker.waitUntilReady();
await queue.addBulk(Array.from({ length: runs }, () => ({ name: 'wait', data: {} })));
await delay(SETTLE_MS);

const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};
const before = { cpu: cpuMs(), at: performance.now() };
await delay(ms);
report('waited', { share: (cpuMs() - before.cpu) / (performance.now() - before.at) });
process.exit();
