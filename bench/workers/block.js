// Blocks the event loop for BENCH_BLOCK_MS in every job, in the way that the job names, and reports when each block begins and ends;
// ends after BENCH_JOBS jobs.
import { execSync, spawnSync } from 'node:child_process';
import { pbkdf2Sync, scryptSync } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'bullmq';
import { connection, now, report } from './report.js';

const { BENCH_BLOCK_MS, BENCH_JOBS, BENCH_SETTLE_MS } = process.env;
const BLOCK_MS = Number(BENCH_BLOCK_MS);

/** How many of a unit of work fill BLOCK_MS, from how long a small number takes. */
function fill(small, work) {
  const started = performance.now();
  work(small);
  return Math.ceil((small * BLOCK_MS) / (performance.now() - started));
}

const hash = (rounds) => pbkdf2Sync('password', 'salt', rounds, 64, 'sha512');
const scrypt = (blocks) => scryptSync('password', 'salt', 64, { N: 1024, r: 8, p: blocks, maxmem: 2 ** 31 });

/** Small objects that live, which every collection looks at. */
const LIVE = 300_000;

function collect(end) {
  const live = Array.from({ length: LIVE }, (_, i) => ({ i }));
  until(end, globalThis.gc);
  live.length = 0;
}

const prepared = {};
/** What is native cannot be stopped, and so is measured out before. */
const prepare = {
  pbkdf2Sync: () => fill(30_000, hash),
  scryptSync: () => fill(10, scrypt),
};
const until = (end, work) => {
  while (now() < end) work();
};
const ways = {
  spin: (end) => until(end, () => {}),
  microtasks: async (end) => {
    while (now() < end) await null;
  },
  regex: (end) => until(end, () => /^(a+)+$/.test(`${'a'.repeat(24)}b`)),
  spawnSync: () => spawnSync('sleep', [String(BLOCK_MS / 1000)]),
  execSync: () => void execSync(`sleep ${BLOCK_MS / 1000}; true`),
  pbkdf2Sync: () => hash(prepared.pbkdf2Sync),
  scryptSync: () => scrypt(prepared.scryptSync),
  gc: collect,
  'Atomics.wait': () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, BLOCK_MS),
};

const last = Promise.withResolvers();
let seen = 0;
const worker = new Worker(
  'bench',
  async (job) => {
    const { pauseMs, way } = job.data;
    prepared[way] ??= prepare[way]?.();
    await delay(pauseMs);
    const begin = now();
    report('begin', { task: job.name, at: begin });
    await ways[way](begin + BLOCK_MS);
    report('end', { task: job.name, at: now() });
    if (++seen === Number(BENCH_JOBS)) last.resolve();
  },
  { connection, autorun: false },
);
worker.on('error', (error) => process.stderr.write(`${error.stack}\n`));
await worker.waitUntilReady();
await delay(Number(BENCH_SETTLE_MS));
report('settled', { pid: process.pid });
await delay(100);
const running = worker.run();
await last.promise;
await delay(1000);
await worker.close();
await running;
