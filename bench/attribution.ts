import { type Measurements, measureCpu } from './attribution/cpu.ts';
import { measureHandles } from './attribution/handles.ts';
import { measureHops } from './attribution/hops.ts';
import { measureLeaks } from './attribution/leak.ts';
import { measureNetwork } from './attribution/network.ts';
import type { Bench, BenchOptions } from './lib/bench.ts';
import { figure } from './lib/figure.ts';
import { Neighbours } from './lib/machine.ts';

/** A part of the bench by the name of its case. */
const PARTS: Readonly<Record<string, (options: BenchOptions) => Promise<Measurements>>> = {
  exact: (options) => unlessOld(() => measureCpu('exact', options)),
  sampled: (options) => measureCpu('sampled', options),
  hops: (options) => unlessOld(async () => ({ figures: await measureHops(options), notes: [] })),
  network: measureNetwork,
  handles: measureHandles,
  leak: measureLeaks,
};

export const CASES: readonly string[] = Object.keys(PARTS);

/** What Taskwarden says that tasks use, against what the tasks themselves know. */
export const attribution: Bench = async (options) => {
  const neighbours = new Neighbours();
  const all: Measurements = { figures: [], notes: [] };
  for (const [name, measure] of Object.entries(PARTS)) {
    if (options.cases.length > 0 && !options.cases.includes(name)) continue;
    await neighbours.sample();
    const { figures, notes } = await measure(options);
    all.figures.push(...figures);
    all.notes.push(...notes);
  }
  return {
    figures: all.figures.map((each) => figure('attribution', each)),
    notes: [String(neighbours), ...all.notes],
  };
};

async function unlessOld(measure: () => Promise<Measurements>): Promise<Measurements> {
  if (Number(process.versions.node.split('.')[0]) >= 24) return measure();
  return { figures: [], notes: ['No exact metering before Node.js 24.'] };
}
