import type { Figure } from './figure.ts';
import type { Neighbours } from './machine.ts';
import type { Receiver } from './receiver.ts';
import type { Variant } from './variants.ts';

export interface BenchOptions {
  /** Path of the built preload. */
  readonly preload: string;
  /** Smaller loads and fewer rounds, for a smoke test: under a minute, its figures mean little. */
  readonly quick: boolean;
  /** Rounds; undefined leaves it to the bench. */
  readonly rounds: number | undefined;
  /** Cases to run; empty for all. */
  readonly cases: readonly string[];
  /** Folder for CPU profiles of the workers under load; figures of such a run are no benchmark. */
  readonly cpuProfile: string | undefined;
  /** Told what is going on, one line each. */
  readonly progress: (line: string) => void;
}

export interface BenchResult {
  readonly figures: readonly Figure[];
  /** Sentences for the report: the load, what was found beside the figures. */
  readonly notes: readonly string[];
}

/** What the cases of one bench share. */
export interface Ground {
  readonly variants: readonly Variant[];
  readonly receiver: Receiver;
  readonly neighbours: Neighbours;
  readonly options: BenchOptions;
}

export type Bench = (options: BenchOptions) => Promise<BenchResult>;
