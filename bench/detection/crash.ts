import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startRedis } from '../../test/helpers/redis.ts';
import type { BenchOptions } from '../lib/bench.ts';
import type { Measured } from '../lib/figure.ts';
import { inLanes } from '../lib/lanes.ts';
import { StateFolder } from '../lib/ready.ts';
import type { Receiver } from '../lib/receiver.ts';

/** A way to die, with three jobs of BullMQ in flight. */
interface Kind {
  readonly name: string;
  readonly how: 'killed' | 'heap' | 'oom';
  /** Time from the begin of the last job to the death, ms. */
  readonly holdMs: number;
  readonly nodeArgs?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Memory limit that `taskwarden run` sets, and which it reports. Otherwise the next start on the host reports. */
  readonly memory?: string;
}

const KINDS: readonly Kind[] = [
  { name: 'SIGKILL', how: 'killed', holdMs: 250 },
  { name: 'heap abort', how: 'heap', holdMs: 250, nodeArgs: ['--max-old-space-size=64'] },
  { name: 'cgroup OOM', how: 'oom', holdMs: 250, memory: '200M' },
  {
    name: 'SIGKILL at once, recorder: event',
    how: 'killed',
    holdMs: 0,
    env: { TASKWARDEN_RECORDER: 'event' },
  },
];
const JOBS = 3;
/** A report that has not come by then is missing, ms. */
const REPORT_MS = 10_000;
const LIMIT_MS = 30_000;
const SCRIPT = fileURLToPath(new URL('../workers/crash.js', import.meta.url));

/** Which share of the jobs in flight at a death is named by an alert TaskCrashedWorker at the receiver. A bare worker names none. */
export async function measureCrashes(
  options: BenchOptions,
  receiver: Receiver,
): Promise<{ figures: Measured[]; notes: string[] }> {
  const crashes = options.rounds ?? (options.quick ? 4 : 100);
  const figures: Measured[] = [];
  const notes = [
    `${crashes} crashes of each kind, ${JOBS} jobs in flight at each; a bare worker names none of them.`,
  ];
  const redis = await startRedis();
  try {
    const found = await inLanes(KINDS, KINDS.length, async (kind) => {
      const why = kind.memory === undefined ? undefined : whyNoLimit(options);
      if (why !== undefined) {
        notes.push(`No ${kind.name}: ${why}.`);
        return [];
      }
      const named = await crash(kind, crashes, redis.port, options, receiver);
      return [
        {
          case: `crash: ${kind.name}`,
          metric: 'crash_tasks_named',
          unit: 'ratio',
          value: named / (crashes * JOBS),
          n: crashes,
          goal: { value: 1, better: 'higher' },
        } satisfies Measured,
      ];
    });
    figures.push(...found.flat());
  } finally {
    await redis.stop();
  }
  return { figures, notes };
}

/** @returns how many jobs were named */
async function crash(
  kind: Kind,
  crashes: number,
  port: number,
  options: BenchOptions,
  receiver: Receiver,
): Promise<number> {
  const state = new StateFolder(mkdtempSync(join(tmpdir(), 'taskwarden-bench-')));
  const names = Array.from({ length: crashes }, (_, i) => `${kind.name.replace(/\W+/g, '-')}-${i}`);
  const start = (name: string) =>
    startWorker(kind, options, {
      BENCH_REDIS_PORT: String(port),
      BENCH_NAME: name,
      TASKWARDEN_STATE_DIR: state.path,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
    });
  try {
    let before: string | undefined;
    for (const name of [...names, undefined]) {
      if (name === undefined && kind.memory !== undefined) break;
      options.progress(`detection, ${name ?? 'the last start'} of ${crashes} by ${kind.name}`);
      const worker = start(name ?? 'next-start');
      // The one that reports must not die over it.
      const isReported = (): boolean =>
        before === undefined || jobsOf(before).every((job) => isNamed(receiver, job));
      const until = performance.now() + (kind.memory === undefined ? REPORT_MS : 0);
      await state.untilWatched();
      while (!isReported() && performance.now() < until) await delay(50);
      if (name === undefined) worker.kill();
      else worker.tell();
      await worker.died;
      before = name;
    }
    return names.flatMap(jobsOf).filter((job) => isNamed(receiver, job)).length;
  } finally {
    rmSync(state.path, { recursive: true, force: true });
  }
}

function startWorker(
  { how, holdMs, nodeArgs = [], env = {}, memory }: Kind,
  options: BenchOptions,
  more: Record<string, string>,
) {
  const { PATH = '', HOME = '' } = process.env;
  const command =
    memory === undefined
      ? ['--import', pathToFileURL(options.preload).href, ...nodeArgs, SCRIPT]
      : [cli(options), 'run', '--memory', memory, '--', process.execPath, SCRIPT];
  const own = { BENCH_HOW: how, BENCH_HOLD_MS: String(holdMs) };
  const child = spawn(process.execPath, command, {
    env: { PATH, HOME, OTEL_SERVICE_NAME: 'bench', ...own, ...env, ...more },
    // What V8 has to say of a full heap is long.
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  child.stdin.on('error', () => {});
  child.stdout.once('data', kill);
  const limit = setTimeout(kill, LIMIT_MS);
  process.once('exit', kill);
  const died = once(child, 'close').then(() => {
    clearTimeout(limit);
    process.off('exit', kill);
  });
  return { died, kill, tell: () => void child.stdin.write('go\n') };
}

function jobsOf(name: string): string[] {
  return Array.from({ length: JOBS }, (_, i) => `${name}-${i}`);
}

/** Strings are plain in both encodings of OTLP. */
function isNamed(receiver: Receiver, job: string): boolean {
  const needles = ['TaskCrashedWorker', 'firing', job];
  return receiver.child.reports.some(
    ({ event, body }) => event === 'logs' && needles.every((needle) => String(body).includes(needle)),
  );
}

function whyNoLimit(options: BenchOptions): string | undefined {
  const args = [cli(options), 'run', '--limit-by', 'cgroup', '--memory', '64M', '--', 'true'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return status === 0 ? undefined : stderr.trim();
}

function cli({ preload }: BenchOptions): string {
  return join(dirname(preload), 'cli.js');
}
