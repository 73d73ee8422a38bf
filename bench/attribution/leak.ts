import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { LeakKind } from '../../src/attribution/leak-limits.ts';
import type { BenchOptions } from '../lib/bench.ts';
import type { Measured } from '../lib/figure.ts';
import { quantile, spread } from '../lib/stats.ts';
import { INNOCENT, LEAKS, type Scenario } from '../workers/leak-scenarios.ts';
import type { Measurements } from './cpu.ts';
import { type Recording, readRecording, type Told, watch } from './leak-recording.ts';

const WORKER = join(import.meta.dirname, '..', 'workers', 'leak.ts');
const KINDS: readonly LeakKind[] = ['heap', 'external', 'rss', 'descriptors'];
const SECONDS = { leak: 110, innocent: 90, quick: 40 };
/** Processes of each scenario; those without a leak are more than thirty in all. */
const PROCESSES = { leak: 4, innocent: 2 };
const QUICK: readonly string[] = ['10 KB', 'none'];
const AT_ONCE = 8;
/** Leaks from this size on are to be found within `GOAL_SAMPLES`. */
const GOAL_BYTES = 10_000;
const GOAL_SAMPLES = 40;

/** What the estimator says of real workers of ten task types, whose leaks and caches are known. */
export async function measureLeaks({ quick, rounds, progress }: BenchOptions): Promise<Measurements> {
  const of = (scenarios: object, usual: number, seconds: number) =>
    Object.keys(scenarios)
      .filter((scenario) => !quick || QUICK.includes(scenario))
      .flatMap((scenario) =>
        Array.from({ length: rounds ?? (quick ? 1 : usual) }, (_, i) => ({
          scenario,
          seed: i + 1,
          seconds: quick ? SECONDS.quick : seconds,
        })),
      );
  const waiting = [
    ...of(LEAKS, PROCESSES.leak, SECONDS.leak),
    ...of(INNOCENT, PROCESSES.innocent, SECONDS.innocent),
  ];
  progress(`attribution: leaks, ${waiting.length} processes, ${AT_ONCE} at a time`);
  const recordings: Recording[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
      recordings.push(await record(next.scenario, next.seed, next.seconds));
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return {
    figures: judge(recordings),
    notes: [
      'Leaks: ten task types, one full collection each 0.4 s, in which about 15 runs of a type end. Found: named, with a bound above 0; ' +
        'confirmed: as TaskMemoryGrowth wants it. Caches fill up to 20 MB, by random keys up to 60 MB.',
    ],
  };
}

/** The figures of these recordings. */
export function judge(recordings: readonly Recording[]): Measured[] {
  const told = recordings.map((recording) => ({
    recording,
    told: new Map(KINDS.map((kind) => [kind, watch(recording, kind)])),
  }));
  const ofScenario = (name: string) => told.filter(({ recording }) => recording.head.scenario === name);
  return [
    ...Object.entries(LEAKS).flatMap(([name, scenario]) => judgeLeak(name, scenario, ofScenario(name))),
    ...judgeInnocents(told.filter(({ recording }) => recording.head.scenario in INNOCENT)),
  ];
}

interface Watched {
  readonly recording: Recording;
  readonly told: ReadonlyMap<LeakKind, Told>;
}

/** The output of one worker process. */
async function record(scenario: string, seed: number, seconds: number): Promise<Recording> {
  const args = ['--expose-gc', WORKER, scenario, `${seed}`, `${seconds}`];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const kill = (): boolean => child.kill('SIGKILL');
  process.once('exit', kill);
  let text = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const [code] = await once(child, 'close');
  process.off('exit', kill);
  if (code !== 0) throw new Error(`the worker of ${scenario}, seed ${seed}, ended with code ${code}`);
  return readRecording(text);
}

function judgeLeak(name: string, { leak, caches }: Scenario, processes: readonly Watched[]): Measured[] {
  if (leak === undefined || processes.length === 0) return [];
  const of = { case: `leak: ${name}`, n: processes.length };
  const truth = leak.amount * (leak.chance ?? 1);
  const guilty = processes.map(({ recording, told }) => {
    const before = recording.samples.filter(({ timeMs }) => timeMs < 1000 * (leak.fromS ?? 0)).length;
    const { named, confirmed, estimates, last } = told.get(leak.kind)!;
    return {
      samples: (named.get('leaking') ?? Number.NaN) - before,
      confirmed: (confirmed.get('leaking') ?? Number.NaN) - before,
      errors: [estimates.get('leaking'), last.get('leaking')].map((estimate) =>
        Math.abs((estimate ?? Number.NaN) / truth - 1),
      ),
    };
  });
  const found = guilty.filter(({ samples }) => samples > 0);
  const samples = found.map((each) => each.samples);
  const confirmed = guilty.map((each) => each.confirmed).filter((each) => each > 0);
  const errors = (at: number) => found.map((each) => each.errors[at]!).filter(Number.isFinite);
  const isLarge = truth >= GOAL_BYTES && leak.kind !== 'rss';
  const wrong = processes.map(({ told }) => accused(told, 'confirmed', ['leaking']).size);
  const counted = (metric: string, values: number[]) =>
    ({
      ...of,
      metric,
      unit: 'count',
      value: quantile(values, 0.5),
      n: values.length,
      spread: spread(values),
    }) as const;
  const error = (when: string, at: number, hasGoal: boolean): Measured => ({
    ...of,
    case: `leak: ${name}${when}`,
    metric: 'leak_estimate_error_p90',
    unit: 'ratio',
    value: quantile(errors(at), 0.9),
    n: errors(at).length,
    goal: hasGoal ? { value: 0.1, better: 'lower' } : undefined,
  });
  return [
    {
      ...of,
      metric: 'leak_found',
      unit: 'ratio',
      value: found.length / of.n,
      goal: { value: 1, better: 'higher' },
    },
    {
      ...counted('leak_gc_samples_p50', samples),
      goal: isLarge ? { value: GOAL_SAMPLES, better: 'lower' } : undefined,
    },
    error(', when it is found', 0, isLarge && caches === undefined && leak.chance === undefined),
    error(', at the end', 1, true),
    counted('leak_gc_samples_confirmed_p50', confirmed),
    flags(of.case, wrong, processes.length * 9),
  ];
}

function judgeInnocents(processes: readonly Watched[]): Measured[] {
  if (processes.length === 0) return [];
  const names = [...new Set(processes.map(({ recording }) => recording.head.scenario))];
  const confirmed = (some: readonly Watched[]) => some.map(({ told }) => accused(told, 'confirmed').size);
  const each = names.map((name) => {
    const own = processes.filter(({ recording }) => recording.head.scenario === name);
    return flags(`no leak: ${name}`, confirmed(own), own.length * 10);
  });
  const suspected = processes.map(({ told }) => accused(told, 'named').size);
  const n = processes.length * 10;
  return [
    ...each,
    flags(`no leak, all ${processes.length} processes`, confirmed(processes), n),
    {
      case: `no leak, all ${processes.length} processes`,
      metric: 'leak_suspected_rate',
      unit: 'ratio',
      value: suspected.reduce((sum, one) => sum + one, 0) / n,
      n,
    },
  ];
}

/** The tasks of which that was ever said, of any kind of memory. */
function accused(
  told: ReadonlyMap<LeakKind, Told>,
  how: 'named' | 'confirmed',
  guilty: readonly string[] = [],
): Set<string> {
  return new Set(
    [...told.values()].flatMap((one) => [...one[how].keys()]).filter((task) => !guilty.includes(task)),
  );
}

function flags(of: string, wrong: readonly number[], n: number): Measured {
  return {
    case: of,
    metric: 'leak_false_flag_rate',
    unit: 'ratio',
    value: wrong.reduce((sum, each) => sum + each, 0) / n,
    n,
    goal: { value: 0.01, better: 'lower' },
  };
}
