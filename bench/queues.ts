import type { Bench } from './lib/bench.ts';
import { figure, type Measured } from './lib/figure.ts';
import { Neighbours } from './lib/machine.ts';
import { measureGrowth, measureMany } from './queues/cost.ts';
import { measureLatency } from './queues/latency.ts';
import { measureTruth } from './queues/truth.ts';
import { asynqExporterRatio } from './queues-asynq.ts';

export const CASES = ['truth', 'cost', 'many', 'latency', 'asynq'] as const;

/** What watching queues costs Redis and the agent, and whether what it says is true. */
export const queues: Bench = async (options) => {
  const wanted = (name: (typeof CASES)[number]) => options.cases.length === 0 || options.cases.includes(name);
  const neighbours = new Neighbours();
  const measured: Measured[] = [];
  await neighbours.sample();
  if (wanted('truth')) measured.push(...(await measureTruth(options)));
  if (wanted('cost')) measured.push(...(await measureGrowth(options)));
  await neighbours.sample();
  if (wanted('many')) measured.push(...(await measureMany(options)));
  if (wanted('latency')) measured.push(...(await measureLatency(options)));
  const asynq = wanted('asynq') ? await asynqExporterRatio(options) : { measured: [], notes: [] };
  measured.push(...asynq.measured);
  await neighbours.sample();
  return {
    figures: measured.map((each) => figure('queues', each)),
    notes: [
      String(neighbours),
      'Real Redis on the same machine; CPU of Redis as INFO tells it; queues known beforehand, so without the search for them.',
      ...asynq.notes,
    ],
  };
};
