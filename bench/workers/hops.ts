/**
 * Runs of awaits, 50 at a time, so that nearly each continuation is another run's; reports CPU time a run. With BENCH_WORK each continuation works
 * for about 20 µs as well, the run for a millisecond.
 */
import { hash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { report } from './report.js';

const { task } = (await import(process.env.BENCH_INDEX!)) as typeof import('../../src/index.ts');
const works = process.env.BENCH_WORK === '1';
const HOPS = Number(process.env.BENCH_HOPS);
const CONCURRENCY = 50;
const ROUNDS = Number(process.env.BENCH_ROUNDS);
const CALLS = works ? 4 : 40;
const CHUNK_OF_WORK = Buffer.alloc(32_768);

const hops = task('hops', async () => {
  for (let i = 0; i < HOPS; i++) {
    await null;
    if (works) hash('sha1', CHUNK_OF_WORK, 'buffer');
  }
});

await sleep(1500);
for (let round = 0; round < ROUNDS; round++) {
  const before = process.threadCpuUsage();
  const loop = async (): Promise<void> => {
    for (let i = 0; i < CALLS; i++) await hops();
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, loop));
  const { user, system } = process.threadCpuUsage(before);
  report('round', { us: (user + system) / (CONCURRENCY * CALLS) });
  await sleep(1);
}
