// Keeps the main thread busy in JavaScript while another thread asks it BENCH_LOOKS times where it is, as the agent does.
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import 'bullmq';
import { MainThread } from '../../src/agent/blocks/main-thread.ts';
import { SourceMaps } from '../../src/agent/blocks/source-maps.ts';
import { lookAt } from '../../src/agent/blocks/stack.ts';
import { report } from './report.js';

const PAUSE_MS = 5;

async function ask(stop: Int32Array): Promise<void> {
  const main = new MainThread({ allowed: true, warn: (text) => process.stderr.write(`${text}\n`) });
  const maps = new SourceMaps();
  const tookMs: number[] = [];
  let missing = 0;
  for (let n = 0; n < Number(process.env.BENCH_LOOKS); n++) {
    const asked = performance.now();
    const look = await lookAt(main, maps, 1000);
    if (look?.stack.includes('busy') === true) tookMs.push(performance.now() - asked);
    else missing++;
    // Each time as at the begin of a block: the session is a new one.
    main.close();
    await new Promise((later) => setTimeout(later, PAUSE_MS));
  }
  Atomics.store(stop, 0, 1);
  parentPort!.postMessage({ tookMs, missing });
}

async function busy(stop: Int32Array): Promise<void> {
  await null;
  while (Atomics.load(stop, 0) === 0);
}

if (isMainThread) {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), { workerData: stop });
  worker.once('message', (found: Record<string, unknown>) => report('looks', found));
  worker.once('online', () => void busy(stop));
} else await ask(workerData as Int32Array);
