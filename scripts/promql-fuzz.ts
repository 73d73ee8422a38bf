import { parseArgs } from 'node:util';
import { figure } from '../bench/lib/figure.ts';
import { goMissing, prometheus3Binaries } from '../test/helpers/go-programs.ts';
import { compareWithPromtool, type Outcome } from '../test/promql/fuzz/compare.ts';
import { type Engine, engines } from '../test/promql/fuzz/engines.ts';

/**
 * Random queries over random series, here and in Prometheus: `npm run test:promql-fuzz -- [--cases N] [--seed N] [--json]`.
 * Compares with the promtool on PATH (2.42 or whatever is there) and with that of Prometheus 3.16, built where Go is. The
 * same seed gives the same cases. Exit code: 0 no difference, 1 some, 2 wrong use or nothing to compare with.
 */
const QUERIES = 50;
const SHOWN = 20;

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '10000' },
      seed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
    },
  });
  const [cases, seed] = [Number(values.cases), Number(values.seed)];
  if (!(cases >= 1) || !Number.isInteger(seed))
    throw new Error('--cases and --seed are whole numbers, cases from 1');
  const missing = goMissing();
  if (missing) console.error(missing);
  else await prometheus3Binaries();
  const found = engines();
  if (found.length === 0) throw new Error('there is no promtool to compare with');
  let differences = 0;
  for (const engine of found) {
    const { promtool, dialect } = engine;
    const options = { seed, groups: Math.ceil(cases / QUERIES), queries: QUERIES };
    const outcome = compareWithPromtool(promtool, dialect, options);
    differences += outcome.differences.length;
    report(engine, outcome, values.json);
  }
  return differences === 0 ? 0 : 1;
}

function report({ version, mode }: Engine, outcome: Outcome, json: boolean): void {
  const { cases, answered, undecided, differences } = outcome;
  for (const difference of differences.slice(0, SHOWN)) console.error(difference);
  if (json) {
    const measured = {
      case: `${mode}: promtool ${version}`,
      metric: 'promql_fuzz_differences',
      unit: 'count',
      value: differences.length,
      n: cases,
      goal: { value: 0, better: 'lower' },
    } as const;
    console.log(JSON.stringify(figure('rules', measured)));
    return;
  }
  console.log(
    `${mode}, promtool ${version}: ${cases} cases, ${answered} with an answer, ` +
      `${undecided} that promtool answers in several ways, ${differences.length} differences`,
  );
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 2;
}
