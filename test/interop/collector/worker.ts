// A BullMQ worker whose tasks do a little of everything that dashboards show.
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'bullmq';

const connection = { url: process.env.REDIS_URL ?? '', maxRetriesPerRequest: null };

async function handle(name: string): Promise<void> {
  if (name === 'fetch') await fetch(process.env.TARGET_URL ?? '').then((response) => response.text());
  if (name === 'fail') throw new TypeError('no such mailbox');
  if (name === 'spin' || name === 'block') {
    const end = performance.now() + (name === 'block' ? 1500 : 5);
    while (performance.now() < end);
  }
  await sleep(5);
}

const worker = new Worker('mail', (job) => handle(job.name), { connection, concurrency: 5 });
process.once('SIGTERM', () => void worker.close().then(() => process.exit(0)));
