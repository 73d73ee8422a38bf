/** The ten task types of the demo: what a worker of a small shop does, and three tasks that should not do what they do. */
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import type { Job } from 'bullmq';

const compress = promisify(deflate);
const TARGET = process.env.DEMO_TARGET ?? '';

export interface DemoTask {
  readonly queue: 'mail' | 'media' | 'reports';
  /** Mean time between two jobs, ms; they come at random. */
  readonly everyMs: number;
  /** Comes for four seconds, then not for four. */
  readonly inBursts?: true;
  /** The alert that must name this task, if it is a guilty one. */
  readonly expect?: string;
  readonly handler: (job: Job) => Promise<unknown>;
}

const cache = new Map<number, string>();
const forgotten: unknown[] = [];

function spin(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

async function get(path: string): Promise<string> {
  const response = await fetch(TARGET + path);
  return response.text();
}

export const TASKS: Readonly<Record<string, DemoTask>> = {
  'send-welcome': { queue: 'mail', everyMs: 60, handler: async () => void (await sleep(15)) },
  'sync-contact': { queue: 'mail', everyMs: 100, handler: () => get('/contact') },
  'charge-card': {
    queue: 'mail',
    everyMs: 150,
    handler: async () => {
      await get('/charge');
      await sleep(20);
    },
  },
  // Leaks: 50 KB of every event stay in a list that nobody clears. Events come in bursts, as events do; a task whose runs keep step with
  // all others takes longer to be told from them.
  'track-event': {
    queue: 'mail',
    everyMs: 20,
    inBursts: true,
    expect: 'TaskMemoryGrowth',
    handler: async (job) => {
      await sleep(2);
      forgotten.push(Array.from({ length: 6250 }, (_, i) => i + Number(job.id) + 0.5));
    },
  },
  'resize-thumbnail': { queue: 'media', everyMs: 120, handler: async () => spin(6) },
  'encode-preview': {
    queue: 'media',
    everyMs: 200,
    handler: async () => {
      for (let chunk = 0; chunk < 5; chunk++) {
        spin(3);
        await sleep(1);
      }
    },
  },
  // Floods: follows every link of a page, one request each.
  'crawl-links': {
    queue: 'media',
    everyMs: 2500,
    expect: 'TaskNetworkFlood',
    handler: async () => {
      for (let page = 0; page < 20; page++)
        await Promise.all(Array.from({ length: 15 }, (_, link) => get(`/page/${page}/${link}`)));
    },
  },
  'archive-order': {
    queue: 'reports',
    everyMs: 90,
    handler: async (job) => (await compress(JSON.stringify(job.data).repeat(500))).length,
  },
  // Fills a cache of 2 MB and is done: growth that is no leak.
  'warm-cache': {
    queue: 'reports',
    everyMs: 50,
    handler: async (job) => {
      const key = Number(job.id) % 200;
      if (!cache.has(key)) cache.set(key, 'x'.repeat(10_000));
      return cache.size;
    },
  },
  // Blocks: a report that is computed in one go.
  'monthly-report': {
    queue: 'reports',
    everyMs: 12_000,
    expect: 'TaskBlocksEventLoop',
    handler: async () => {
      await sleep(5);
      spin(3000);
    },
  },
};
