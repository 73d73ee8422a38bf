// A plain BullMQ worker that works off what waits in the queue `bench`, then closes and ends.
// BENCH_LOAD: noop or io. BENCH_JOBS: jobs that wait. BENCH_WARM_UP: how many of them are not measured.
// BENCH_SETTLE_MS: pause before the first job, so that what starts in the background is not counted as cost of jobs.
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { connection, report } from './report.js';

const { BENCH_LOAD, BENCH_JOBS, BENCH_WARM_UP, BENCH_SETTLE_MS } = process.env;
const jobs = Number(BENCH_JOBS);
const warmUp = Number(BENCH_WARM_UP);
const { handle, concurrency, durations, close } = await import(`./${BENCH_LOAD}.js`);

let seen = 0;
let begun;
const last = Promise.withResolvers();

/** CPU in µs of the whole process, all its threads (getrusage). */
const cpu = () => {
  const { user, system } = process.cpuUsage();
  return user + system;
};

const worker = new Worker(
  'bench',
  async (job) => {
    seen++;
    if (seen === warmUp + 1) {
      durations.length = 0;
      begun = { cpu: cpu(), at: performance.now() };
    }
    if (seen === jobs) last.resolve({ cpu: cpu(), at: performance.now() });
    return handle(job);
  },
  { connection, concurrency, autorun: false },
);
worker.on('error', (error) => process.stderr.write(`${error.stack}\n`));
await worker.waitUntilReady();
await delay(Number(BENCH_SETTLE_MS));

const running = worker.run();
const end = await last.promise;
const rss = process.memoryUsage.rss();
await worker.close();
await running;
await close();

const measured = jobs - warmUp;
// Listeners of a preload come first, so what it does at the end is in.
process.on('exit', () => {
  report('load', {
    cpuPerJob: (end.cpu - begun.cpu) / measured,
    cpuPerJobToExit: (cpu() - begun.cpu) / measured,
    jobsPerSecond: (measured * 1000) / (end.at - begun.at),
    rssMb: rss / 1e6,
    durations: [...durations],
  });
});
