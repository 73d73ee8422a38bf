import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Bench, BenchOptions } from './lib/bench.ts';
import { type Figure, figure, type Measured } from './lib/figure.ts';
import { quantile, spread } from './lib/stats.ts';
import { table } from './lib/table.ts';
import type { Row, Variant } from './workers/leak.ts';

const WORKER = join(import.meta.dirname, 'workers', 'leak.ts');
const BYTES: Partial<Record<Variant, number>> = {
  leak50k: 50_000,
  'leak50k+cache4m': 50_000,
  'leak50k+cache8m': 50_000,
  leak10k: 10_000,
};

export const CASES: readonly Variant[] = [
  'leak50k',
  'leak50k+cache4m',
  'leak50k+cache8m',
  'leak10k',
  'cache2m',
  'cache8m',
  'none',
];

/** Seconds of each process; the slow leak gets twice as many. */
const SECONDS = 60;

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

function figuresOf(variant: Variant, processes: readonly Row[][]): Measured[] {
  const n = processes.length;
  const measured = (metric: string, unit: string, values: readonly number[], goal?: Measured['goal']) => {
    return { case: variant, metric, unit, value: quantile(values, 0.5), n, spread: spread(values), goal };
  };
  const innocents = processes.map((rows) => {
    return new Set(rows.flatMap((row) => Object.keys(row.estimates).filter((task) => task !== 'leaking')))
      .size;
  });
  const last = processes.map((rows) => rows.at(-1)!);
  const figures: Measured[] = [
    {
      ...measured('innocents_named', 'count', innocents),
      value: innocents.reduce((sum, each) => sum + each, 0),
      goal: { value: 0, better: 'lower' },
    },
    measured(
      'gc_pause_share',
      'ratio',
      last.map((row) => row.pausedShare),
      { value: 0.005, better: 'lower' },
    ),
    measured(
      'collections',
      'count',
      last.map((row) => row.collections),
    ),
    measured(
      'longest_look',
      'ms',
      last.map((row) => row.lookMs),
    ),
  ];
  const bytes = BYTES[variant];
  if (bytes === undefined) return figures;
  const firsts = processes.flatMap((rows) => rows.find((row) => row.estimates.leaking !== undefined) ?? []);
  const errors = last.flatMap(({ estimates: { leaking } }) => {
    return leaking === undefined ? [] : [Math.abs(leaking.bytesPerRun / bytes - 1)];
  });
  figures.unshift(
    {
      case: variant,
      metric: 'leak_named',
      unit: 'ratio',
      value: firsts.length / n,
      n,
      goal: { value: 1, better: 'higher' },
    },
    measured(
      'time_to_name',
      's',
      firsts.map((row) => row.seconds),
      variant === 'leak50k' ? { value: SECONDS, better: 'lower' } : undefined,
    ),
    measured('estimate_error', 'ratio', errors, { value: 0.1, better: 'lower' }),
  );
  return figures;
}

/** Heap per task on real processes: what the estimator says of workers whose leaks are known. */
export const retained: Bench = async ({ rounds, quick, cases, progress }) => {
  const figures: Figure[] = [];
  const seeds = Array.from({ length: rounds ?? (quick ? 1 : 4) }, (_, i) => i + 1);
  for (const variant of CASES.filter((each) => cases.length === 0 || cases.includes(each))) {
    const seconds = variant === 'leak10k' ? 3 * SECONDS : SECONDS;
    progress(`retained: ${variant}, ${seeds.length} processes of ${seconds} s, two at a time`);
    const processes: Row[][] = [];
    for (let i = 0; i < seeds.length; i += 2) {
      const pair = seeds.slice(i, i + 2);
      processes.push(...(await Promise.all(pair.map((seed) => watch(variant, seed, seconds)))));
    }
    for (const each of figuresOf(variant, processes)) figures.push(figure('retained', each));
  }
  const notes = [
    'Workers of ten task types with independent Poisson and burst arrivals; one leaks, about 6 runs/s.',
    'Full collections at most 0.5 % of the time.',
  ];
  return { figures, notes };
};

/** Runs all cases and hands every figure to `report`. */
export async function run(
  report: (figure: Figure) => void,
  options: Partial<BenchOptions> = {},
): Promise<void> {
  const { figures } = await retained({
    preload: '',
    quick: false,
    rounds: undefined,
    cases: [],
    cpuProfile: undefined,
    progress: (line) => process.stderr.write(`${line}\n`),
    ...options,
  });
  for (const each of figures) report(each);
}

if (process.argv[1] === import.meta.filename) {
  const [rounds, ...cases] = process.argv.slice(2);
  const figures: Figure[] = [];
  await run((each) => figures.push(each), {
    rounds: rounds === undefined ? undefined : Number(rounds),
    cases,
  });
  process.stdout.write(`${table(figures)}\n`);
}
