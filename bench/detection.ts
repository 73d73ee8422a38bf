import { measureBlocks } from './detection/block.ts';
import { measureCrashes } from './detection/crash.ts';
import { measureFalseAlerts } from './detection/false-alerts.ts';
import { measureMemory } from './detection/memory.ts';
import { measureStacks } from './detection/stack.ts';
import { measureWatching } from './detection/watching.ts';
import type { Bench, BenchOptions } from './lib/bench.ts';
import { figure, type Measured } from './lib/figure.ts';
import { Neighbours } from './lib/machine.ts';
import { type Receiver, startReceiver } from './lib/receiver.ts';

type Part = (
  options: BenchOptions,
  receiver: Receiver,
) => Promise<{ readonly figures: readonly Measured[]; readonly notes: readonly string[] }>;

const PARTS = {
  block: measureBlocks,
  stack: async (options) => ({ figures: await measureStacks(options), notes: [] }),
  watching: measureWatching,
  'false-alerts': measureFalseAlerts,
  crash: measureCrashes,
  memory: measureMemory,
} as const satisfies Record<string, Part>;

export const CASES = Object.keys(PARTS) as (keyof typeof PARTS)[];

/** What the agent notices of blocked loops, deaths and full memory, and how soon; and what it takes for a block though it is none. */
export const detection: Bench = async (options) => {
  const neighbours = new Neighbours();
  const receiver = await startReceiver();
  const figures: Measured[] = [];
  const notes: string[] = [];
  try {
    for (const name of CASES) {
      if (options.cases.length > 0 && !options.cases.includes(name)) continue;
      await neighbours.sample();
      const found = await PARTS[name](options, receiver);
      figures.push(...found.figures);
      notes.push(...found.notes);
    }
  } finally {
    await receiver.stop();
  }
  return {
    figures: figures.map((each) => figure('detection', each)),
    notes: [String(neighbours), ...notes],
  };
};
