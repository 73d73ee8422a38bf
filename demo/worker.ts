// A worker as anyone writes it. Nothing in here knows of Taskwarden; see main.ts for the line that starts it.
import { type Job, Worker } from 'bullmq';
import { TASKS } from './tasks.ts';

const connection = { url: process.env.REDIS_URL ?? '', maxRetriesPerRequest: null };
const handle = (job: Job): Promise<unknown> => TASKS[job.name]!.handler(job);
const workers = ['mail', 'media', 'reports'].map(
  (queue) => new Worker(queue, handle, { connection, prefix: 'taskwarden-demo', concurrency: 20 }),
);

process.once('SIGTERM', () => {
  void Promise.all(workers.map((worker) => worker.close())).then(() => process.exit(0));
});
