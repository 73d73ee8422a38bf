import { type Labels, labelsKey } from '../../model/labels.ts';
import type { Sample } from '../../model/queryable.ts';
import { type AlertText, alertText, sampleText } from './print.ts';

/** What was expected and what came, item by item in promtool's words, sorted. */
export interface Mismatch {
  readonly expected: readonly string[];
  readonly got: readonly string[];
}

/** How firing alerts differ from the expected ones, whose labels lack `alertname`; undefined when they do not. */
export function alertMismatch(
  name: string,
  expected: readonly AlertText[],
  got: readonly AlertText[],
): Mismatch | undefined {
  const texts = (alerts: readonly AlertText[]) =>
    alerts
      .map(({ labels, annotations }) => ({ labels: { ...labels, alertname: name }, annotations }))
      .toSorted((a, b) => compareLabels(a.labels, b.labels) || compareLabels(a.annotations, b.annotations))
      .map(alertText);
  const mismatch = { expected: texts(expected), got: texts(got) };
  return mismatch.expected.join() === mismatch.got.join() ? undefined : mismatch;
}

/** How samples differ, their order left aside. With `fuzzy`, neighbouring floats are equal; NaN never is. */
export function sampleMismatch(
  expected: readonly Sample[],
  got: readonly Sample[],
  fuzzy: boolean,
): Mismatch | undefined {
  const [wanted, found] = [expected, got].map((samples) =>
    samples.toSorted((a, b) => compareLabels(a.labels, b.labels)),
  ) as [Sample[], Sample[]];
  const same = wanted.every(({ labels, value }, at) => {
    const other = found[at];
    return (
      other !== undefined && labelsKey(labels) === labelsKey(other.labels) && equal(value, other.value, fuzzy)
    );
  });
  if (same && wanted.length === found.length) return undefined;
  return { expected: wanted.map(sampleText), got: found.map(sampleText) };
}

/** As Prometheus orders label sets: by the names and values of the labels in the order of their names. */
function compareLabels(a: Labels, b: Labels): number {
  const [one, other] = [a, b].map((labels) => Object.entries(labels).sort().flat()) as [string[], string[]];
  const at = one.findIndex((text, index) => text !== other[index]);
  if (at === -1 || other[at] === undefined) return one.length - other.length;
  return one[at]! < other[at]! ? -1 : 1;
}

function equal(a: number, b: number, fuzzy: boolean): boolean {
  return a === b || (fuzzy && (neighbour(a, 1n) === b || neighbour(a, -1n) === b));
}

/** The next float away from zero, or towards it; those of zero itself are the smallest of either sign. */
function neighbour(value: number, step: bigint): number {
  if (value === 0) return step > 0n ? Number.MIN_VALUE : -Number.MIN_VALUE;
  const [bits = 0n] = new BigInt64Array(new Float64Array([value]).buffer);
  return new Float64Array(new BigInt64Array([bits + step]).buffer)[0]!;
}
