import { builtPrometheus3 } from '../test/helpers/go-programs.ts';
import { installedPrometheus } from '../test/helpers/prometheus.ts';
import type { Bench } from './lib/bench.ts';
import { figure, type Measured } from './lib/figure.ts';
import { Neighbours } from './lib/machine.ts';
import {
  measureApi,
  measureEach,
  measureGrowth,
  measureMemory,
  measureShipped,
  measureTicks,
} from './rules/alone.ts';
import { measureAgainst } from './rules/compared.ts';
import { RULES } from './rules/mix.ts';

export const CASES = ['tick', 'shipped', 'each', 'memory', 'growth', 'api', 'prometheus'] as const;

/** What 200 rules over 2,000 series of a quarter of an hour at a step of 5 s cost the agent's thread, and a Prometheus. */
export const rules: Bench = async (options) => {
  const wanted = (name: (typeof CASES)[number]) => options.cases.length === 0 || options.cases.includes(name);
  const neighbours = new Neighbours();
  const measured: Measured[] = [];
  const notes = [`${RULES} rules in the shares of public rule files, 2,000 series, 15 min at a step of 5 s.`];
  const add = (found: { figures: readonly Measured[]; notes: readonly string[] }): void => {
    measured.push(...found.figures);
    notes.push(...found.notes);
  };
  await neighbours.sample();
  if (wanted('tick'))
    measured.push(...(await measureTicks(options.rounds ?? (options.quick ? 1 : 5), options)));
  if (wanted('shipped')) add(await measureShipped(options));
  if (wanted('each')) add(await measureEach(options));
  if (wanted('memory')) measured.push(...(await measureMemory(options)));
  await neighbours.sample();
  if (wanted('growth')) measured.push(...(await measureGrowth(options)));
  if (wanted('api')) measured.push(...(await measureApi(options)));
  await neighbours.sample();
  if (wanted('prometheus')) {
    const found = [installedPrometheus(), builtPrometheus3()].filter((each) => each !== undefined);
    if (found.length === 0) {
      const line = 'prometheus is not on PATH, so prometheus_cpu_ratio was not measured.';
      options.progress(`rules: ${line}`);
      notes.push(line);
    }
    for (const prometheus of found) add(await measureAgainst(prometheus, options));
  }
  return {
    figures: measured.map((each) => figure('rules', each)),
    notes: [String(neighbours), ...notes],
  };
};
