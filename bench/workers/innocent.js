// Runs a small job every 20 ms until it is killed. BENCH_INDEX is the URL of taskwarden's own module.
import { setTimeout as delay } from 'node:timers/promises';
import { report } from './report.js';

const { task } = await import(process.env.BENCH_INDEX);
const innocent = task('innocent', async () => {
  await delay(5);
  for (const end = performance.now() + 1; performance.now() < end; );
});
setInterval(() => void innocent(), 20);
report('running', { pid: process.pid });
