/**
 * `npm run demo`: a real BullMQ worker with ten task types, three of them guilty, preloaded with Taskwarden by one line; an OTLP
 * receiver beside it. Shows the alerts as they arrive, then what each task used. `--keep` leaves everything running.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Received, ReceivedLog } from '../test/helpers/otlp-items.ts';
import { demoRedis } from './redis.ts';
import { alertLine, bold, dim, printTable, Usage, verdict } from './report.ts';
import { TASKS } from './tasks.ts';

const root = resolve(import.meta.dirname, '..');
const keep = process.argv.includes('--keep');
const MAX_SECONDS = 85;
/** How long the demo goes on after the last expected alert, for those that should not come. */
const AFTER_SECONDS = 5;

const children: ChildProcess[] = [];
const node = (
  args: string[],
  env: Record<string, string> = {},
  stdio: 'inherit' | 'pipe' = 'inherit',
): ChildProcess => {
  const child = spawn(process.execPath, args, {
    cwd: root,
    env: { ...process.env, NODE_NO_WARNINGS: '1', ...env },
    stdio: ['ignore', stdio, 'inherit'],
  });
  children.push(child);
  return child;
};
const finished = (child: ChildProcess): Promise<void> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((done) => child.once('exit', () => done()));

await finished(node(['scripts/build.ts', '--no-types']));
const redis = await demoRedis();
const target = createServer((_, response) => response.end('x'.repeat(400)));
await new Promise<void>((listening) => target.listen(0, '127.0.0.1', listening));
const targetUrl = `http://127.0.0.1:${(target.address() as AddressInfo).port}`;

const usage = new Usage();
const alerts: ReceivedLog[] = [];
const receiver = node(['test/helpers/otlp-sink.ts'], {}, 'pipe');
const endpoint = await receive(receiver, (item) => {
  if (item.signal === 'metrics') usage.add(item);
  else if (item.signal === 'logs' && item.eventName === 'taskwarden.alert') {
    alerts.push(item);
    console.log(alertLine(item, started));
  }
});

const preload = ['--import', 'taskwarden/register', 'demo/worker.ts'];
console.log(`${bold('A BullMQ worker with ten task types, three of them guilty')}
  ${dim('$')} node ${preload.join(' ')}
  ${dim(`OTLP to ${endpoint}, Redis ${redis.url}; at most ${MAX_SECONDS} s`)}
`);
const started = Date.now();
const env = { REDIS_URL: redis.url, DEMO_TARGET: targetUrl };
const worker = node(preload, {
  ...env,
  OTEL_SERVICE_NAME: 'demo-worker',
  OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
  OTEL_METRIC_EXPORT_INTERVAL: '2000',
  // A leak is told from full collections, for which the default budget of 0.5 % of time would take minutes on a slow machine.
  TASKWARDEN_MEMORY_GC_BUDGET: '0.02',
  // What other workers of this machine have left behind is not the demo's.
  TASKWARDEN_STATE_DIR: 'off',
});
const producer = node(['demo/producer.ts'], env);

const stopped = new Promise<void>((interrupted) => process.once('SIGINT', interrupted));
const complete = await Promise.race([allExpected(), stopped.then(() => false)]);
if (complete) await pause(AFTER_SECONDS * 1000);
if (keep) {
  console.log(
    `\n${bold('Left running')} (--keep): Ctrl-C ends it. Worker ${worker.pid}, Redis ${redis.url}, OTLP ${endpoint}`,
  );
  await stopped;
}
producer.kill('SIGTERM');
worker.kill('SIGTERM');
await Promise.race([finished(worker), pause(8000)]);
await pause(200);
for (const child of children) child.kill('SIGKILL');
target.closeAllConnections();
target.close();
redis.stop();

printTable(usage, alerts);
process.exit(verdict(alerts, TASKS) ? 0 : 1);

/** Reads the receiver's lines; gives the address that it listens on. */
function receive(child: ChildProcess, onItem: (item: Received) => void): Promise<string> {
  return new Promise((listening) => {
    createInterface({ input: child.stdout! }).on('line', (line) => {
      const item = JSON.parse(line) as Received | { port: number };
      if ('port' in item) listening(`http://127.0.0.1:${item.port}`);
      else onItem(item);
    });
  });
}

/** True when every guilty task was named, false after the time is up; shows progress while it waits. */
async function allExpected(): Promise<boolean> {
  const expected = Object.entries(TASKS).filter(([, task]) => task.expect !== undefined);
  for (;;) {
    const missing = expected.filter(
      ([name, { expect }]) => !alerts.some((alert) => names(alert, expect!, name)),
    );
    if (missing.length === 0) return true;
    const seconds = Math.round((Date.now() - started) / 1000);
    if (seconds >= MAX_SECONDS) return false;
    if (process.stdout.isTTY) {
      process.stdout.write(
        `\r${dim(`${seconds} s; waiting for ${missing.map(([name]) => name).join(', ')} …`)}\x1b[K`,
      );
    } else if (seconds % 15 === 14) {
      console.log(`${seconds} s; waiting for ${missing.map(([name]) => name).join(', ')} …`);
    }
    await pause(1000);
  }
}

function names(alert: ReceivedLog, rule: string, task: string): boolean {
  return alert.attributes['taskwarden.alert.name'] === rule && alert.attributes['task.name'] === task;
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
