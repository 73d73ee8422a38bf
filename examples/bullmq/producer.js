// Puts a few jobs into the queue of worker.js.
import { Queue } from 'bullmq';

const connection = { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379', maxRetriesPerRequest: null };
const queue = new Queue('mail', { connection });
for (let i = 0; i < 10; i++) await queue.add('welcome', { to: `user${i}@example.org` });
await queue.add(
  'bounce',
  { to: 'nobody@example.org' },
  { attempts: 2, backoff: { type: 'fixed', delay: 100 } },
);
await queue.close();
