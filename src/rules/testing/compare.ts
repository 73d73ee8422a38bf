import { type Labels, labelsKey } from '../../model/labels.ts';
import type { Sample } from '../../model/queryable.ts';
import { formatFloat } from '../../promql/format.ts';
import { formatLabels } from '../../promql/label-ops.ts';

interface AlertText {
  readonly labels: Labels;
  readonly annotations: Labels;
}

/** How firing alerts differ from the expected ones, whose labels lack `alertname`; undefined when they do not. */
export function alertDifference(
  name: string,
  expected: readonly AlertText[],
  got: readonly AlertText[],
): string | undefined {
  const text = ({ labels, annotations }: AlertText, alertname: string) =>
    `${formatLabels({ ...labels, alertname })} ${formatLabels(annotations)}`;
  return difference(
    expected.map((alert) => text(alert, name)),
    got.map((alert) => text(alert, name)),
  );
}

/** How samples differ, their order left aside. With `fuzzy`, neighbouring floats are equal. */
export function sampleDifference(
  expected: readonly Sample[],
  got: readonly Sample[],
  fuzzy: boolean,
): string | undefined {
  const byLabels = (samples: readonly Sample[]) =>
    new Map(samples.map((sample) => [labelsKey(sample.labels), sample.value]));
  const theirs = byLabels(got);
  const same =
    expected.length === got.length &&
    [...byLabels(expected)].every(([key, value]) => theirs.has(key) && equal(value, theirs.get(key)!, fuzzy));
  if (same) return undefined;
  const text = ({ labels, value }: Sample) => `${formatLabels(labels)} ${formatFloat(value)}`;
  return difference(expected.map(text), got.map(text)) ?? 'the same labels appear twice';
}

function equal(a: number, b: number, fuzzy: boolean): boolean {
  if (Object.is(a, b) || a === b) return true;
  // The bits of floats of one sign are in the order of the floats.
  const [first = 0n, second = 0n] = new BigInt64Array(new Float64Array([a, b]).buffer);
  const apart = first - second;
  return fuzzy && a * b > 0 && apart >= -1n && apart <= 1n;
}

function difference(expected: readonly string[], got: readonly string[]): string | undefined {
  const [wanted, found] = [expected, got].map((texts) => texts.toSorted().join('\n    ') || 'nothing');
  return wanted === found ? undefined : `expected\n    ${wanted}\n  got\n    ${found}`;
}
