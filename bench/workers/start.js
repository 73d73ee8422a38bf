// Reports when the first job's handler began, then idles for BENCH_IDLE_MS, closes, and ends.
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { connection, now, report } from './report.js';

const first = Promise.withResolvers();
const worker = new Worker('bench', async () => first.resolve(now()), { connection });
worker.on('error', (error) => process.stderr.write(`${error.stack}\n`));
report('first job', { at: await first.promise });
await delay(Number(process.env.BENCH_IDLE_MS));
const { user, system } = process.cpuUsage();
report('idle', { rssMb: process.memoryUsage.rss() / 1e6, cpuMs: (user + system) / 1000 });
await worker.close();
report('closed', { at: now() });
