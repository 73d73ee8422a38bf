/** Runs that do nothing but await, 50 at a time, so that nearly each continuation is another run's; reports CPU time a hop. */
import { setTimeout as sleep } from 'node:timers/promises';
import { report } from './report.js';

const { task } = (await import(process.env.BENCH_INDEX!)) as typeof import('../../src/index.ts');
const HOPS = 100;
const CONCURRENCY = 50;
const ROUNDS = Number(process.env.BENCH_ROUNDS);
const CALLS = 40;

const hops = task('hops', async () => {
  for (let i = 0; i < HOPS; i++) await null;
});

await sleep(1500);
for (let round = 0; round < ROUNDS; round++) {
  const before = process.threadCpuUsage();
  const loop = async (): Promise<void> => {
    for (let i = 0; i < CALLS; i++) await hops();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, loop));
  const { user, system } = process.threadCpuUsage(before);
  report('round', { ns: ((user + system) * 1000) / (CONCURRENCY * CALLS * HOPS) });
  await sleep(1);
}
