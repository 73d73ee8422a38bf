// A BullMQ worker, as you have one. Nothing in it knows of Taskwarden:
//
//   node --import taskwarden/register worker.js
import { Worker } from 'bullmq';

const connection = { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379', maxRetriesPerRequest: null };

const worker = new Worker(
  'mail',
  async (job) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    if (job.name === 'bounce') throw new Error(`no such mailbox: ${job.data.to}`);
    return `sent to ${job.data.to}`;
  },
  { connection, concurrency: 10 },
);

worker.on('ready', () => console.log('ready'));
process.once('SIGTERM', () => worker.close().then(() => process.exit(0)));
