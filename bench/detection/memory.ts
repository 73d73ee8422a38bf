import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { startRedis } from '../../test/helpers/redis.ts';
import type { BenchOptions } from '../lib/bench.ts';
import type { Measured } from '../lib/figure.ts';
import { inLanes } from '../lib/lanes.ts';
import { StateFolder } from '../lib/ready.ts';
import type { Receiver } from '../lib/receiver.ts';
import { quantile, spread } from '../lib/stats.ts';

/** A way to run out of memory. */
interface Kind {
  readonly name: string;
  readonly how: 'sync' | 'async' | 'buffers';
  readonly nodeArgs?: readonly string[];
  /** Memory limit that `taskwarden run` sets by a control group. */
  readonly memory?: string;
  /** MiB of resident memory at which this bench kills it, as process managers do. */
  readonly rssLimit?: number;
}

const KINDS: readonly Kind[] = [
  { name: 'heap, synchronous', how: 'sync', nodeArgs: ['--max-old-space-size=300'] },
  { name: 'heap, asynchronous', how: 'async', nodeArgs: ['--max-old-space-size=300'] },
  { name: 'buffers in a cgroup', how: 'buffers', memory: '250M' },
  { name: 'buffers under rss_limit', how: 'buffers', rssLimit: 250 },
];
/** Kinds side by side. */
const LANES = 2;
/** Bytes of a page that statm counts. */
const PAGE = 4096;
/** MiB/s, as in the experiments that the goals come from. */
const RATE = 100;
/** Shares of the limit, %, of which each is a figure; the last is critical, as is that the limit is reached within half a second. */
const LEVELS = [70, 80, 90] as const;
const SOON_MS = 500;
const LIMIT_MS = 180_000;
const SCRIPT = fileURLToPath(new URL('../workers/memory.js', import.meta.url));

/** One death: seconds from the arrival of the alert at each level to it; undefined where none came before. */
type Leads = ReadonlyMap<number, number | undefined>;

/**
 * Whether WorkerMemoryRunsOut has arrived at the receiver, with the name of the task that leaks, before V8 says that the heap is
 * full, or the kernel kills the process. A bare worker says nothing before.
 */
export async function measureMemory(
  options: BenchOptions,
  receiver: Receiver,
): Promise<{ figures: Measured[]; notes: string[] }> {
  const runs = options.rounds ?? (options.quick ? 2 : 30);
  const figures: Measured[] = [];
  const notes = [
    `${runs} workers of each kind that leak ${RATE} MiB/s until they die of it; a bare worker tells nothing.`,
  ];
  const redis = await startRedis();
  try {
    const found = await inLanes(KINDS, LANES, async (kind) => {
      const why = kind.memory === undefined ? undefined : whyNoLimit(options, kind.memory);
      if (why !== undefined) {
        notes.push(`No ${kind.name}: ${why}.`);
        return [];
      }
      const deaths: Leads[] = [];
      for (let i = 0; i < runs; i++) {
        options.progress(`detection, ${kind.name}, death ${i + 1} of ${runs}`);
        deaths.push(await die(kind, `memory-${KINDS.indexOf(kind)}-${i}`, redis.port, options, receiver));
      }
      return LEVELS.flatMap((level) => judge(kind, level, deaths));
    });
    figures.push(...found.flat());
  } finally {
    await redis.stop();
  }
  return { figures, notes };
}

function judge(kind: Kind, level: number, deaths: readonly Leads[]): Measured[] {
  const leads = deaths.flatMap((death) => death.get(level) ?? []);
  const name = `memory: ${kind.name}, ${level} %`;
  return [
    {
      case: name,
      metric: 'memory_alert_before_death',
      unit: 'ratio',
      value: leads.length / deaths.length,
      n: deaths.length,
      goal: { value: 1, better: 'higher' },
    },
    {
      case: name,
      metric: 'memory_alert_lead_s',
      unit: 's',
      value: quantile(leads, 0.5),
      n: leads.length,
      spread: spread(leads),
    },
  ];
}

async function die(
  kind: Kind,
  name: string,
  port: number,
  options: BenchOptions,
  receiver: Receiver,
): Promise<Leads> {
  const { PATH = '', HOME = '' } = process.env;
  const node = [process.execPath, ...(kind.nodeArgs ?? []), SCRIPT];
  const command =
    kind.memory === undefined
      ? [process.execPath, '--import', pathToFileURL(options.preload).href, ...node.slice(1)]
      : [process.execPath, cli(options), 'run', '--memory', kind.memory, '--', ...node];
  const state = mkdtempSync(join(tmpdir(), 'taskwarden-bench-'));
  const child = spawn(command[0]!, command.slice(1), {
    env: {
      PATH,
      HOME,
      OTEL_SERVICE_NAME: name,
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      TASKWARDEN_STATE_DIR: state,
      TASKWARDEN_MEMORY_RSS_LIMIT: String(kind.rssLimit ?? 0),
      BENCH_NAME: name,
      BENCH_HOW: kind.how,
      BENCH_RATE: String(RATE),
      BENCH_REDIS_PORT: String(port),
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  const limit = setTimeout(kill, LIMIT_MS);
  child.stdin.on('error', () => {});
  let aborts: number | undefined;
  child.stderr.setEncoding('latin1').on('data', (text: string) => {
    if (text.includes('FATAL ERROR')) aborts ??= Date.now();
  });
  try {
    const closed = once(child, 'close');
    const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
    const { pid } = JSON.parse(line) as { pid: number };
    await new StateFolder(state).untilWatched();
    child.stdin.write('go\n');
    while (isAlive(pid)) {
      if (kind.rssLimit !== undefined && rssOf(pid) > kind.rssLimit) process.kill(pid, 'SIGKILL');
      await delay(5);
    }
    const diedAt = aborts ?? Date.now();
    await closed;
    return new Map(LEVELS.map((level) => [level, leadOf(receiver, name, level, diedAt)]));
  } finally {
    clearTimeout(limit);
    process.off('exit', kill);
    kill();
    rmSync(state, { recursive: true, force: true });
  }
}

/** Strings are plain in both encodings of OTLP. */
function leadOf(receiver: Receiver, name: string, level: number, diedAt: number): number | undefined {
  const first = receiver.child.reports.find(({ event, body }) => {
    const text = String(body);
    if (event !== 'logs' || !text.includes(name) || !/in flight:[^.]* leak \(/.test(text)) return false;
    const said = text.matchAll(
      /runs out of memory: ([\d.]+)%(?: of [\w .']+, and all of it in ([\d.]+)ms)?/g,
    );
    return [...said].some(([, share, ms]) => Number(share) >= level || Number(ms) < SOON_MS);
  });
  const lead = first === undefined ? Number.NEGATIVE_INFINITY : (diedAt - Number(first.at)) / 1000;
  return lead > 0 ? lead : undefined;
}

/** MiB; 0 for a process that has gone. */
function rssOf(pid: number): number {
  try {
    return (Number(readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[1]) * PAGE) / 2 ** 20;
  } catch {
    return 0;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function whyNoLimit(options: BenchOptions, memory: string): string | undefined {
  const args = [cli(options), 'run', '--limit-by', 'cgroup', '--memory', memory, '--', 'true'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  return status === 0 ? undefined : stderr.trim();
}

function cli({ preload }: BenchOptions): string {
  return join(dirname(preload), 'cli.js');
}
