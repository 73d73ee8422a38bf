import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Queue } from 'bullmq';
import { startRedis } from '../../test/helpers/redis.ts';
import type { BenchOptions } from '../lib/bench.ts';
import type { Measured } from '../lib/figure.ts';
import { startReceiver } from '../lib/receiver.ts';
import { quantile, spread } from '../lib/stats.ts';

const CLI = resolve(import.meta.dirname, '../../src/cli/main.ts');
const INTERVAL_S = 5;
/** The threshold of QueueReadyTooOld. */
const THRESHOLD_MS = 60_000;
/** The watcher has started by then. */
const START_MS = 8000;
const GRACE_MS = 20_000;

/** Polls between the moment at which a queue's oldest job is a minute old and the arrival of the alert, by `taskwarden watch`. */
export async function measureLatency({ quick, progress }: BenchOptions): Promise<Measured[]> {
  const n = quick ? 3 : 20;
  progress(`queues, latency: ${n} queues become late`);
  const server = await startRedis();
  const receiver = await startReceiver();
  const began = Date.now();
  const crossings = Array.from({ length: n }, (_, i) => began + START_MS + ((i * 1370) % 20_000));
  for (const [i, at] of crossings.entries()) {
    const queue = new Queue(`late-${i}-`, { connection: { host: '127.0.0.1', port: server.port } });
    await queue.add('x', {}, { timestamp: at - THRESHOLD_MS, ...(i % 2 === 1 && { priority: 5 }) });
    await queue.close();
  }
  const child = spawn(
    process.execPath,
    [CLI, 'watch', '--redis', server.url, '--system', 'bullmq', '--interval', `${INTERVAL_S}s`],
    {
      env: { ...process.env, OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, TASKWARDEN_STATE_DIR: 'off' },
      stdio: 'ignore',
    },
  );
  const polls: number[] = [];
  try {
    await delay(START_MS + 20_000 + GRACE_MS - (Date.now() - began));
    for (const [i, crossed] of crossings.entries()) {
      const needles = ['QueueReadyTooOld', 'firing', `late-${i}-`];
      const found = receiver.child.reports.find(
        ({ event, body, at }) =>
          event === 'logs' &&
          Number(at) >= crossed - 1000 &&
          needles.every((needle) => String(body).includes(needle)),
      );
      polls.push(
        found === undefined ? Number.POSITIVE_INFINITY : (Number(found.at) - crossed) / 1000 / INTERVAL_S,
      );
    }
  } finally {
    child.kill('SIGTERM');
    await once(child, 'exit');
    await receiver.stop();
    await server.stop();
  }
  return [
    {
      case: 'bullmq: taskwarden watch',
      metric: 'latency_alert_polls',
      unit: 'count',
      value: quantile(polls, 1),
      spread: spread(polls),
      n,
      goal: { value: 2, better: 'lower' },
    },
  ];
}
