/**
 * Evaluates the rules of the bench in a worker thread with the limits of the agent's own, and writes a report a line. Its
 * environment says what: BENCH_WORK (a key of WORK), BENCH_TASKS, BENCH_COPIES, BENCH_TICKS.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';
import { compile, type Expression } from '../../src/promql/promql.ts';
import { loadRuleFiles } from '../../src/rules/load.ts';
import { shippedRules } from '../../src/rules/shipped.ts';
import { ALL_SERIES, ask, QUERIES, serveApi } from '../rules/api.ts';
import { Engine, RETENTION_TICKS } from '../rules/engine.ts';
import { ownSeries } from '../rules/own-series.ts';
import { STEP_MS } from '../rules/series.ts';

const { BENCH_WORK, BENCH_TASKS, BENCH_COPIES, BENCH_TICKS } = process.env;
const [tasks, copies, ticks] = [Number(BENCH_TASKS), Number(BENCH_COPIES), Number(BENCH_TICKS)];
const START = 1_800_000_000_000;
const report = (event: string, fields: object): void => parentPort?.postMessage({ event, ...fields });

const WORK: Readonly<Record<string, () => void | Promise<void>>> = {
  /** Tick after tick without a pause: wall and CPU time of each in ms, and of its insertion. */
  ticks() {
    ticksOf(new Engine(tasks, copies));
  },

  /** The same with the shipped rules over the agent's own metrics. */
  shipped() {
    const { groups } = loadRuleFiles([shippedRules()], compile);
    ticksOf(new Engine(tasks, copies, { series: ownSeries(tasks), groups }));
  },

  /** Ticks at their real times, until killed: CPU of the whole process, its collector's threads included, per tick. */
  async paced() {
    const engine = new Engine(tasks, copies);
    const first = Math.ceil(Date.now() / STEP_MS + 1) * STEP_MS;
    engine.fill(first);
    for (let t = first; ; t += STEP_MS) {
      await delay(Math.max(0, t - Date.now()));
      engine.prepare(t);
      const [began, before] = [performance.now(), process.cpuUsage()];
      engine.insert(t);
      engine.evaluate(t);
      const wall = performance.now() - began;
      // What the collector's threads still do for it is counted, up to here.
      await delay(100);
      const { user, system } = process.cpuUsage(before);
      report('tick', { cpu: (user + system) / 1000, wall, ...engine.alerts() });
    }
  },

  /** Each expression alone: the times of its evaluations in ms. */
  each() {
    const engine = new Engine(tasks, copies);
    engine.fill(START, false);
    const times: Record<string, number[]> = {};
    for (let tick = 0; tick < ticks; tick++) {
      const t = START + tick * STEP_MS;
      engine.prepare(t);
      engine.insert(t);
      for (const { name, expr, expression } of engine.rules()) {
        engine.moment();
        const began = performance.now();
        engine.query(expression as Expression, t);
        const took = performance.now() - began;
        times[`${name}: ${expr}`] ??= [];
        times[`${name}: ${expr}`]!.push(took);
      }
    }
    report('done', { times });
  },

  /** Bytes that the filled store takes: its columns, and all that the process has more than without it. */
  async memory() {
    // Code that is compiled on the way is not the store's.
    new Engine(1, 0).fill(START, false);
    const engine = new Engine(tasks, 0);
    const before = await memoryInUse();
    // Twice what it keeps, so that its columns have their final size.
    engine.fill(START, false);
    engine.fill(START + RETENTION_TICKS * STEP_MS, false);
    const { bytes: columns, size } = engine.store;
    report('done', { columns, samples: size * RETENTION_TICKS, all: (await memoryInUse()) - before });
  },

  /** Times of requests to the HTTP API that this thread serves, asked by the main one. */
  async api() {
    const engine = new Engine(tasks, copies);
    engine.fill(START + STEP_MS);
    const url = await serveApi(engine.store, () => START);
    const queries = [...QUERIES, ...engine.rules().map(({ expr }) => expr)];
    report('serving', { url, queries, t: START });
    // The thread lives as long as it is asked; the server alone would not hold it.
    await delay(600_000);
  },
};

function ticksOf(engine: Engine): void {
  engine.fill(START);
  const [wall, cpu, insert]: [number[], number[], number[]] = [[], [], []];
  for (let tick = 0; tick < ticks; tick++) {
    const t = START + tick * STEP_MS;
    engine.prepare(t);
    const [began, cpuBegan] = [performance.now(), threadCpuMs()];
    engine.insert(t);
    insert.push(performance.now() - began);
    engine.evaluate(t);
    wall.push(performance.now() - began);
    cpu.push(threadCpuMs() - cpuBegan);
  }
  report('done', { wall, cpu, insert, series: engine.store.size, ...engine.alerts() });
}

/** The client's side of the work `api`. */
async function askThread(url: string, queries: readonly string[], t: number): Promise<void> {
  const [mixed, all]: [number[], number[]] = [[], []];
  for (let round = 0; round < ticks; round++) {
    const own = await ask(url, queries, t);
    const every = await ask(url, [ALL_SERIES], t);
    // The first round has everything to compile.
    if (round > 0) mixed.push(...own);
    if (round > 0) all.push(...every);
  }
  process.stdout.write(`${JSON.stringify({ event: 'done', mixed, all })}\n`);
}

function threadCpuMs(): number {
  // Node.js before 22.19 tells only the CPU time of the process.
  const { user, system } = process.threadCpuUsage?.() ?? process.cpuUsage();
  return (user + system) / 1000;
}

/** Bytes in use after a collection, of this thread. Needs --expose-gc. */
async function memoryInUse(): Promise<number> {
  globalThis.gc!();
  // Buffers are let go beside the program.
  await delay(200);
  globalThis.gc!();
  await delay(200);
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { resourceLimits: { maxYoungGenerationSizeMb: 3 } });
  worker.on('message', async (message) => {
    if (message.event !== 'serving') process.stdout.write(`${JSON.stringify(message)}\n`);
    else {
      await askThread(message.url, message.queries, message.t);
      process.exit();
    }
  });
  worker.on('error', (error) => {
    throw error;
  });
} else {
  await WORK[BENCH_WORK!]!();
}
