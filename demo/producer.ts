// Enqueues jobs of every type, at random times around each type's mean.
import { Queue } from 'bullmq';
import { TASKS } from './tasks.ts';

const connection = { url: process.env.REDIS_URL ?? '', maxRetriesPerRequest: null };
const options = { connection, prefix: 'taskwarden-demo' };
const queues = {
  mail: new Queue('mail', options),
  media: new Queue('media', options),
  reports: new Queue('reports', options),
};

for (const [name, { queue, everyMs, inBursts }] of Object.entries(TASKS)) {
  const next = (): void => {
    // Exponential gaps make a Poisson process; the bounds keep a short demo from a very long one.
    const gap = Math.min(3, Math.max(0.05, -Math.log(Math.random()))) * everyMs;
    setTimeout(() => {
      if (inBursts && Math.floor(Date.now() / 4000) % 2 === 1) return next();
      void queues[queue].add(
        name,
        { order: Math.floor(Math.random() * 1e6), note: 'demo' },
        { removeOnComplete: true },
      );
      next();
    }, gap);
  };
  next();
}
process.once('SIGTERM', () => process.exit(0));
