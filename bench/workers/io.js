// What many handlers do: 2 ms of waiting, one Redis GET, one HTTP request over keep-alive, JSON.parse of 10 KB, 0.2 ms of CPU.
import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { connection } from './report.js';

const redis = new Redis({ ...connection, lazyConnect: true });
await redis.connect();
const document = JSON.stringify({
  rows: Array.from({ length: 160 }, (_, id) => ({ id, text: 'x'.repeat(43) })),
});

export const concurrency = 2;
/** Ms from the first to the last line of each handler run. */
export const durations = [];

export async function handle() {
  const start = performance.now();
  await delay(2);
  await redis.get('bench:value');
  const response = await fetch(process.env.BENCH_TARGET);
  await response.text();
  JSON.parse(document);
  const spinUntil = performance.now() + 0.2;
  while (performance.now() < spinUntil);
  durations.push(performance.now() - start);
}

export async function close() {
  await redis.quit();
}
