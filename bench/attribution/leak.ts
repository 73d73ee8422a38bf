import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { BenchOptions } from '../lib/bench.ts';
import type { Measured } from '../lib/figure.ts';
import { quantile, spread } from '../lib/stats.ts';
import type { Row, Variant } from '../workers/leak.ts';
import type { Measurements } from './cpu.ts';

const WORKER = join(import.meta.dirname, '..', 'workers', 'leak.ts');
const TASKS = 10;
/** Bytes that each run of one task leaves behind. */
const LEAKS: Partial<Record<Variant, number>> = {
  leak50k: 50_000,
  'leak50k+cache4m': 50_000,
  'leak50k+cache8m': 50_000,
  leak10k: 10_000,
};
const VARIANTS: readonly Variant[] = [
  'leak50k',
  'leak50k+cache4m',
  'leak50k+cache8m',
  'leak10k',
  'cache2m',
  'cache8m',
  'none',
];
const QUICK: readonly Variant[] = ['leak10k', 'none'];
const QUICK_S = 50;
const SECONDS = 180;
/** Processes of each variant; those without a leak are more than thirty in all. */
const PROCESSES = { leak: 4, none: 11 };
const AT_ONCE = 2;

/** What the estimator says of real workers of ten task types, whose leaks and caches are known. */
export async function measureLeaks({ quick, rounds, progress }: BenchOptions): Promise<Measurements> {
  const variants = quick ? QUICK : VARIANTS;
  const seconds = quick ? QUICK_S : SECONDS;
  const waiting = variants.flatMap((variant) => {
    const usual = LEAKS[variant] === undefined ? PROCESSES.none : PROCESSES.leak;
    return Array.from({ length: rounds ?? (quick ? 1 : usual) }, (_, seed) => ({ variant, seed: seed + 1 }));
  });
  const rows = new Map<Variant, Row[][]>(variants.map((variant) => [variant, []]));
  progress(`attribution: leaks, ${waiting.length} processes of ${seconds} s, ${AT_ONCE} at a time`);
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      rows.get(next.variant)!.push(await watch(next.variant, next.seed, seconds));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return {
    figures: [...rows].flatMap(([variant, processes]) => judge(variant, processes)),
    notes: [
      `Leaks: ten task types with Poisson and burst arrivals, one leaks at about 6 runs/s, ${seconds} s a process; full collections take 0.5 % of the time at most.`,
    ],
  };
}

/** The reports of one worker process, the last of them made at its end. */
async function watch(variant: Variant, seed: number, seconds: number): Promise<Row[]> {
  const args = ['--expose-gc', WORKER, `${seed}`, `${seconds}`, variant];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  process.off('exit', kill);
  if (code !== 0) throw new Error(`the worker of ${variant}, seed ${seed}, ended with code ${code}`);
  return text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Row);
}

function judge(variant: Variant, processes: readonly Row[][]): Measured[] {
  const n = processes.length;
  const of = { case: `leak: ${variant}`, n };
  const wrong = processes.map((rows) => {
    return new Set(rows.flatMap(({ confirmed }) => confirmed.filter((task) => task !== 'leaking'))).size;
  });
  const bytes = LEAKS[variant];
  const innocents = n * (bytes === undefined ? TASKS : TASKS - 1);
  const falseFlags: Measured = {
    ...of,
    metric: 'leak_false_flag_rate',
    unit: 'ratio',
    value: wrong.reduce((sum, each) => sum + each, 0) / innocents,
    n: innocents,
    goal: { value: 0.01, better: 'lower' },
  };
  if (bytes === undefined) return [falseFlags];
  const firsts = processes.flatMap((rows) => rows.find((row) => row.estimates.leaking !== undefined) ?? []);
  const errors = processes.flatMap((rows) => {
    const { leaking } = rows.at(-1)!.estimates;
    return leaking === undefined ? [] : [Math.abs(leaking.bytesPerRun / bytes - 1)];
  });
  const samples = firsts.map(({ collections }) => collections);
  return [
    {
      ...of,
      metric: 'leak_named',
      unit: 'ratio',
      value: firsts.length / n,
      goal: { value: 1, better: 'higher' },
    },
    {
      ...of,
      metric: 'leak_gc_samples_p50',
      unit: 'count',
      value: quantile(samples, 0.5),
      n: samples.length,
      spread: spread(samples),
      goal: { value: 40, better: 'lower' },
    },
    {
      ...of,
      metric: 'leak_estimate_error_p90',
      unit: 'ratio',
      value: quantile(errors, 0.9),
      n: errors.length,
      goal: { value: 0.1, better: 'lower' },
    },
    falseFlags,
  ];
}
