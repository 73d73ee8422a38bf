import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import type { BenchOptions } from '../lib/bench.ts';
import { startFixture } from '../lib/child.ts';
import type { Measured } from '../lib/figure.ts';
import type { Receiver } from '../lib/receiver.ts';
import { SPANS, variants } from '../lib/variants.ts';

/** Half as long again as a block may last. */
const DISTURBED_MS = 1500;
const REST_MS = 400;
/** Within which the agent is ready, and an alert has come, ms. */
const SETTLE_MS = 1500;
/** Programs that want the one CPU of the starved worker. */
const HOGS = 2;

interface Disturbance {
  readonly name: string;
  readonly nodeArgs: readonly string[];
  /** Gets ready, once; undefined where the machine does not let it. */
  readonly prepare: (
    pid: number,
    stderr: () => string,
  ) => Promise<{ begin(): void; end(): void; close(): void } | undefined>;
}

const DISTURBANCES: readonly Disturbance[] = [
  { name: 'SIGSTOP and SIGCONT', nodeArgs: [], prepare: async (pid) => stopped(pid) },
  { name: 'taskset starvation', nodeArgs: [], prepare: async (pid) => starved(pid) },
  { name: 'debugger pause', nodeArgs: ['--inspect=127.0.0.1:0'], prepare: (_, stderr) => paused(stderr) },
];

/** How many alerts about a blocked loop come while a worker that blocks nothing is disturbed for 1.5 s at a time. */
export async function measureFalseAlerts(
  options: BenchOptions,
  receiver: Receiver,
): Promise<{ figures: Measured[]; notes: string[] }> {
  const runs = options.rounds ?? (options.quick ? 2 : 30);
  const names = DISTURBANCES.map(({ name }) => name);
  options.progress(`detection, ${runs} times each, side by side: ${names.join(', ')}`);
  const alerts = await Promise.all(DISTURBANCES.map((each) => disturb(each, runs, receiver, options)));
  return {
    figures: names.flatMap((name, at) => {
      const value = alerts[at];
      if (value === undefined) return [];
      const one = { case: `false alerts: ${name}`, metric: 'false_block_alerts', unit: 'count', n: runs };
      return [{ ...one, value, goal: { value: 0, better: 'lower' } }];
    }),
    notes: names
      .filter((_, at) => alerts[at] === undefined)
      .map((name) => `No ${name}: the machine does not let it.`),
  };
}

async function disturb(
  { name, nodeArgs, prepare }: Disturbance,
  runs: number,
  receiver: Receiver,
  options: BenchOptions,
): Promise<number | undefined> {
  const variant = variants(options.preload, receiver.url).find((one) => one.name === SPANS)!;
  const service = `false-${name.replaceAll(' ', '-')}`;
  const child = startFixture('innocent.js', {
    nodeArgs: [...nodeArgs, ...variant.nodeArgs],
    env: {
      ...variant.env,
      OTEL_SERVICE_NAME: service,
      TASKWARDEN_STATE_DIR: 'off',
      BENCH_INDEX: pathToFileURL(join(dirname(options.preload), 'index.js')).href,
    },
    limitMs: 600_000,
  });
  let stderr = '';
  child.process.stderr!.on('data', (chunk: string) => {
    stderr += chunk;
  });
  try {
    await child.report('running');
    await delay(SETTLE_MS);
    const disturbance = await prepare(child.process.pid!, () => stderr);
    if (disturbance === undefined) return undefined;
    // What getting ready cost is none of the runs.
    await delay(SETTLE_MS);
    const since = performance.timeOrigin + performance.now();
    for (let run = 0; run < runs; run++) {
      disturbance.begin();
      await delay(DISTURBED_MS);
      disturbance.end();
      await delay(REST_MS);
    }
    disturbance.close();
    await delay(SETTLE_MS);
    return receiver.child.reports.filter(
      ({ event, at, body }) =>
        event === 'logs' &&
        Number(at) >= since &&
        String(body).includes(service) &&
        /(?:TaskBlocks|Worker)EventLoop/.test(String(body)),
    ).length;
  } finally {
    await child.kill();
  }
}

function stopped(pid: number) {
  return {
    begin: () => void process.kill(pid, 'SIGSTOP'),
    end: () => void process.kill(pid, 'SIGCONT'),
    close: () => {},
  };
}

/** On one CPU with others, and last in line for it. */
function starved(pid: number) {
  if (spawnSync('taskset', ['-apc', '0', String(pid)]).status !== 0) return undefined;
  const nice = (level: number): void =>
    void spawnSync('sh', ['-c', `renice ${level} $(ls /proc/${pid}/task)`]);
  let hogs: ChildProcess[] = [];
  const kill = (): void => {
    for (const hog of hogs) hog.kill('SIGKILL');
    hogs = [];
  };
  process.once('exit', kill);
  nice(19);
  return {
    begin() {
      hogs = Array.from({ length: HOGS }, () =>
        spawn('taskset', ['-c', '0', process.execPath, '-e', 'for (;;);'], { stdio: 'ignore' }),
      );
    },
    end: kill,
    close: () => void process.off('exit', kill),
  };
}

async function paused(stderr: () => string) {
  const url = /Debugger listening on (ws:\/\/\S+)/.exec(stderr())?.[1];
  if (url === undefined) return undefined;
  const socket = new WebSocket(url);
  await once(socket, 'open');
  let id = 0;
  const send = (method: string): void => socket.send(JSON.stringify({ id: ++id, method }));
  send('Debugger.enable');
  return {
    begin: () => send('Debugger.pause'),
    end: () => send('Debugger.resume'),
    close: () => socket.close(),
  };
}
