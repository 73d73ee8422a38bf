import type { Spread } from './stats.ts';
import { withinControl } from './stats.ts';

/** What a figure is to reach: at most, or at least. */
export interface Goal {
  readonly value: number;
  readonly better: 'lower' | 'higher';
}

/** One measured figure: one line of `--json`, one row of the table. */
export interface Figure {
  readonly bench: string;
  /** What was run, and which variant of it: `noop: taskwarden with spans`. */
  readonly case: string;
  readonly metric: string;
  /** Null when there was nothing to measure, e.g. no alert arrived. */
  readonly value: number | null;
  /** `ratio`, `ms`, `s`, `us`, `MB`, `1/s`, `cores`, `count`. */
  readonly unit: string;
  /** The same figure, in the same unit, of the control: the bare worker measured a second time. Null where there is none. */
  readonly baseline: number | null;
  readonly goal: number | null;
  /** Whether the goal is met; null where there is none. */
  readonly ok: boolean | null;
  readonly node: string;
  /** Rounds, repetitions or jobs behind the value. */
  readonly n: number;
  /** Of the rounds, from their 10th to their 90th percentile. */
  readonly spread: Spread | null;
  /** True when the value lies in the spread of the control, and so is no finding. Null without a control. */
  readonly noise: boolean | null;
}

export interface Measured {
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly value: number;
  readonly n: number;
  readonly spread?: Spread;
  readonly goal?: Goal | undefined;
  readonly control?: { readonly value: number; readonly spread: Spread } | undefined;
}

/** Judges a measured value by its goal and by its control. */
export function figure(bench: string, measured: Measured): Figure {
  const { goal, control } = measured;
  const value = Number.isFinite(measured.value) ? measured.value : null;
  return {
    bench,
    case: measured.case,
    metric: measured.metric,
    value: rounded(value),
    unit: measured.unit,
    baseline: control === undefined ? null : rounded(control.value),
    goal: goal?.value ?? null,
    ok: goal === undefined ? null : value !== null && meets(value, goal),
    node: process.versions.node,
    n: measured.n,
    spread:
      measured.spread === undefined || value === null
        ? null
        : [rounded(measured.spread[0])!, rounded(measured.spread[1])!],
    noise: control === undefined || value === null ? null : withinControl(value, control.spread),
  };
}

function meets(value: number, goal: Goal): boolean {
  return goal.better === 'lower' ? value <= goal.value : value >= goal.value;
}

/** Four significant digits: more would claim a precision that no benchmark on a shared machine has. */
function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}
