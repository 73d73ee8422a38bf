import type { Goal, Measured } from './figure.ts';
import { differences, median, ratios, spread } from './stats.ts';
import { BARE, CONTROL, type Variant } from './variants.ts';

export interface Comparison<R> {
  /** The load, e.g. `noop`. */
  readonly case: string;
  readonly metric: string;
  readonly unit: string;
  readonly by: 'ratio' | 'difference';
  readonly of: (result: R) => number;
  /** By variant name. */
  readonly goals?: Readonly<Record<string, Goal>>;
}

/** One row per variant but the bare one, each round against the same round of the bare one; the control's row comes first. */
export function compare<R>(
  results: ReadonlyMap<Variant, readonly R[]>,
  comparison: Comparison<R>,
): Measured[] {
  const byName = new Map([...results].map(([variant, list]) => [variant.name, list.map(comparison.of)]));
  const base = byName.get(BARE)!;
  const relate = comparison.by === 'ratio' ? ratios : differences;
  const controlValues = relate(byName.get(CONTROL)!, base);
  const control = { value: median(controlValues), spread: spread(controlValues) };
  return [...byName]
    .filter(([name]) => name !== BARE)
    .map(([name, values]) => {
      const related = relate(values, base);
      return {
        case: `${comparison.case}: ${name}`,
        metric: comparison.metric,
        unit: comparison.unit,
        value: median(related),
        n: related.length,
        spread: spread(related),
        goal: comparison.goals?.[name],
        control: name === CONTROL ? undefined : control,
      };
    });
}

/** The figure itself, unrelated to any other, per variant. */
export function absolute<R>(
  results: ReadonlyMap<Variant, readonly R[]>,
  what: Omit<Comparison<R>, 'by'>,
): Measured[] {
  return [...results].map(([{ name }, list]) => {
    const values = list.map(what.of);
    return {
      case: `${what.case}: ${name}`,
      metric: what.metric,
      unit: what.unit,
      value: median(values),
      n: values.length,
      spread: spread(values),
      goal: what.goals?.[name],
    };
  });
}
