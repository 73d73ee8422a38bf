import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { CASES as ATTRIBUTION_CASES, attribution } from './attribution.ts';
import { CASES as DETECTION_CASES, detection } from './detection.ts';
import type { Bench } from './lib/bench.ts';
import type { Figure } from './lib/figure.ts';
import { section, writeSection } from './lib/results.ts';
import { table } from './lib/table.ts';
import { CASES as OVERHEAD_CASES, overhead } from './overhead.ts';
import { CASES as QUEUES_CASES, queues } from './queues.ts';
import { CASES as RULES_CASES, rules } from './rules.ts';

interface Entry {
  readonly run: Bench;
  readonly cases: readonly string[];
  /** Whether it measures the built preload. */
  readonly preload: boolean;
}

const BENCHES: Readonly<Record<string, Entry>> = {
  overhead: { run: overhead, cases: OVERHEAD_CASES, preload: true },
  detection: { run: detection, cases: DETECTION_CASES, preload: true },
  attribution: { run: attribution, cases: ATTRIBUTION_CASES, preload: true },
  rules: { run: rules, cases: RULES_CASES, preload: false },
  queues: { run: queues, cases: QUEUES_CASES, preload: false },
};

const FOLDER = dirname(fileURLToPath(import.meta.url));
const RESULTS = join(FOLDER, 'results.md');

const USAGE = `npm run bench -- NAME [options]

NAME  ${[...Object.keys(BENCHES), 'all'].join(' | ')}

  --json             one JSON object per figure instead of a table
  --quick            small loads, one or two rounds: a smoke test
  --write            put the figures into bench/results.md; those of a --case into a section of its own
  --case NAME        only that case (${Object.values(BENCHES)
    .flatMap(({ cases }) => cases)
    .join(', ')}); may be repeated
  --rounds N         rounds per variant; for detection, worker processes
  --preload FILE     default dist/register.js, made by npm run build
  --cpu-prof FOLDER  CPU profiles of the loaded workers; the figures of such a run mean nothing

Exit code: 0 every goal met, 1 a goal missed (not with --quick), 2 wrong use.
`;

/** @throws Error with a message for the user. */
function parse(argv: readonly string[]) {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      write: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
      case: { type: 'string', multiple: true, default: [] },
      rounds: { type: 'string' },
      preload: { type: 'string', default: join(dirname(FOLDER), 'dist', 'register.js') },
      'cpu-prof': { type: 'string' },
    },
  });
  if (values.help) return { ...values, names: [] };
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) throw new Error('exactly one NAME is needed');
  if (name !== 'all' && !(name in BENCHES)) throw new Error(`there is no bench "${name}"`);
  const names = name === 'all' ? Object.keys(BENCHES) : [name];
  for (const each of values.case) {
    if (!names.some((one) => BENCHES[one]!.cases.includes(each)))
      throw new Error(`${name} has no case "${each}"`);
  }
  if (values.rounds !== undefined && !/^[1-9]\d*$/.test(values.rounds)) {
    throw new Error(`--rounds is a number from 1, not "${values.rounds}"`);
  }
  if (names.some((each) => BENCHES[each]!.preload) && !existsSync(values.preload))
    throw new Error(`${values.preload} is missing; npm run build makes dist/register.js`);
  return { ...values, names };
}

async function main(): Promise<number> {
  let options: ReturnType<typeof parse>;
  try {
    options = parse(process.argv.slice(2));
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${USAGE}`);
    return 2;
  }
  if (options.help) {
    process.stdout.write(USAGE);
    return 0;
  }
  const all: Figure[] = [];
  for (const name of options.names) {
    const { figures, notes } = await BENCHES[name]!.run({
      preload: resolve(options.preload),
      quick: options.quick,
      rounds: options.rounds === undefined ? undefined : Number(options.rounds),
      cases: options.case,
      cpuProfile: options['cpu-prof'],
      progress: (line) => process.stderr.write(`${line}\n`),
    });
    all.push(...figures);
    if (options.json) for (const each of figures) process.stdout.write(`${JSON.stringify(each)}\n`);
    else process.stdout.write(`\n${notes.join(' ')}\n\n${table(figures)}\n`);
    // Cases that were run by themselves have a section of their own: the others' figures stay.
    const title = [name, ...(options.case.length > 0 ? [options.case.join(', ')] : [])].join(': ');
    if (options.write) writeSection(RESULTS, title, section(title, figures, notes, new Date()));
  }
  return !options.quick && all.some(({ ok }) => ok === false) ? 1 : 0;
}

// An exit listener ends the children; without this a signal would skip it.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

process.exitCode = await main();
