import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bench } from './lib/bench.ts';
import { figure, type Measured } from './lib/figure.ts';
import { Neighbours } from './lib/machine.ts';
import { startReceiver } from './lib/receiver.ts';
import { variants } from './lib/variants.ts';
import { measureInstalled } from './overhead/installed.ts';
import { type Load, measureLoad } from './overhead/load.ts';
import { measureStart } from './overhead/start.ts';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
export const CASES = ['noop', 'io', 'start', 'installed'] as const;

/** What the preload costs a BullMQ worker, against the same worker without it. */
export const overhead: Bench = async (options) => {
  const { quick, rounds, progress } = options;
  const wanted = (name: (typeof CASES)[number]) => options.cases.length === 0 || options.cases.includes(name);
  const loads: Load[] = [
    {
      name: 'noop',
      jobs: quick ? 3000 : 60_000,
      warmUp: quick ? 500 : 12_000,
      rounds: rounds ?? (quick ? 1 : 6),
    },
    // Half of them pass while V8 compiles what the agent does once a second.
    { name: 'io', jobs: quick ? 250 : 8000, warmUp: quick ? 50 : 4000, rounds: rounds ?? (quick ? 1 : 6) },
  ];
  const starts = { rounds: rounds ?? (quick ? 2 : 10), idleMs: quick ? 700 : 1500 };

  const receiver = await startReceiver();
  const neighbours = new Neighbours();
  const ground = { variants: variants(options.preload, receiver.url), receiver, neighbours, options };
  const measured: Measured[] = [];
  try {
    for (const load of loads) {
      if (wanted(load.name)) measured.push(...(await measureLoad(load, ground)));
    }
    if (wanted('start')) {
      measured.push(...(await measureStart(starts.rounds, starts.idleMs, ground)));
    }
  } finally {
    await receiver.stop();
  }
  if (wanted('installed')) {
    progress('installed: packing');
    measured.push(...measureInstalled(ROOT));
  }
  return {
    figures: measured.map((each) => figure('overhead', each)),
    notes: [
      String(neighbours),
      ...loads
        .filter(({ name }) => wanted(name))
        .map(
          ({ name, jobs, warmUp, rounds: n }) =>
            `${name}: ${jobs} jobs, the first ${warmUp} not measured, ${n} rounds.`,
        ),
    ],
  };
};
