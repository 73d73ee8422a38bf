import { parseFloat64 } from '../../promql/format.ts';

/** One sample of an input series: a value, the end of the series, or nothing. */
export type InputValue = number | 'stale' | undefined;

/** Values of one series beyond which a test is refused. */
const MAX_VALUES = 1_000_000;

/** No hexadecimal ones: `0x5` is six zeros. */
const NUMBER = String.raw`[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|[iI]nf|[nN]a[nN])`;
const BLANKS = /^_(?:x(\d+))?$/;
const STALE = /^stale(?:x(\d+))?$/;
const SERIES = new RegExp(`^(${NUMBER})(?:([+-])(${NUMBER.slice(5)}))?(?:x(\\d+))?$`);

/**
 * The series notation of promtool: `1 _ _x3 stale 5x2 0+10x5 100-1.5x4`; `axN` and `a+bxN` are N + 1 samples.
 * @throws Error naming the part that is malformed
 */
export function parseValues(text: string): InputValue[] {
  const values: InputValue[] = [];
  for (const part of text.split(/\s+/).filter(Boolean)) {
    values.push(...expand(part));
    if (values.length > MAX_VALUES) throw new Error(`more than ${MAX_VALUES} values`);
  }
  return values;
}

function expand(part: string): InputValue[] {
  const blanks = BLANKS.exec(part);
  if (blanks !== null) return repeat(undefined, Number(blanks[1] ?? 1));
  const stale = STALE.exec(part);
  if (stale !== null) return repeat('stale', Number(stale[1] ?? 0) + 1);
  const series = SERIES.exec(part);
  if (series === null) throw new Error(`"${part}" is no value of a series`);
  const [, first = '', sign, step, times = '0'] = series;
  const start = parseFloat64(first) ?? Number.NaN;
  const each = step === undefined ? 0 : (parseFloat64(step) ?? Number.NaN) * (sign === '-' ? -1 : 1);
  // Adding up, as Prometheus does, and not multiplying: the last digits differ.
  let value = start;
  return repeat(0, Number(times) + 1).map((_, at) => {
    if (at > 0) value += each;
    return value;
  });
}

function repeat(value: InputValue, times: number): InputValue[] {
  if (times > MAX_VALUES) throw new Error(`more than ${MAX_VALUES} values`);
  return Array(times).fill(value);
}
