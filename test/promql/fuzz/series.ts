import type { Labels } from '../../../src/model/labels.ts';
import { SeriesStore } from '../../../src/store/series-store.ts';
import type { Point } from '../points.ts';
import type { Random } from './random.ts';

export interface RandomSeries {
  readonly labels: Labels;
  readonly points: readonly Point[];
}

/** The same series of the same interval for every expression of a group. */
export interface SeriesGroup {
  readonly intervalS: number;
  readonly series: readonly RandomSeries[];
}

const QUEUES = ['mail', 'sms', 'push'];

/** Names and labels are those that {@link Expressions} asks for; intervals, values, gaps and ends are random. */
export function randomSeries(random: Random): SeriesGroup {
  const count = random.int(30, 70);
  const series: RandomSeries[] = [];
  const add = (labels: Labels, next: () => number): void => {
    series.push({ labels, points: withGaps(random, Array.from({ length: count }, next)) });
  };
  for (const q of QUEUES) {
    for (const t of ['a', 'b', 'c']) {
      if (random.chance(0.7)) add({ __name__: 'c_total', q, t }, counter(random));
      if (random.chance(0.7)) add({ __name__: 'g', q, t }, gauge(random));
      if (random.chance(0.4)) add({ __name__: 'h', q, t }, gauge(random));
    }
    if (random.chance(0.8)) add({ __name__: 'limit', q }, gauge(random));
    if (random.chance(0.8)) add({ __name__: 'owner', q, team: random.pick(['x', 'y']) }, () => 1);
    if (random.chance(0.8)) addBuckets(random, q, add);
  }
  return { intervalS: random.pick([5, 10, 15, 30, 60]), series };
}

/** What is not exact in binary would sum up to something else in another order, and promtool's order is random. */
function exact(random: Random, scale: number): number {
  return random.int(-4 * scale, 4 * scale) / 4;
}

function counter(random: Random): () => number {
  const most = random.pick([0, 1, 5, 100, 1e6]);
  const resets = random.pick([0, 0, 0.02, 0.2]);
  let value = random.pick([0, 0, 1, 50, 1e6]);
  return () => {
    value = random.chance(resets)
      ? random.int(0, most)
      : value + (random.chance(0.2) ? 0 : random.int(0, most));
    return value;
  };
}

function gauge(random: Random): () => number {
  const odd = random.pick([0, 0, 0, 0.03, 0.3]);
  const scale = random.pick([1, 3, 10, 1000, 1e6]);
  const drift = random.chance(0.4);
  const constant = random.chance(0.1);
  let value = exact(random, scale);
  return () => {
    if (random.chance(odd)) {
      return random.pick([
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
        0,
        -0,
        1e300,
        -1e300,
        1e-300,
      ]);
    }
    if (!constant) value = drift ? value + exact(random, scale) / 16 : exact(random, scale);
    return value;
  };
}

function addBuckets(random: Random, q: string, add: (labels: Labels, next: () => number) => void): void {
  const bounds = random.pick([
    ['0.1', '0.5', '1', '10', '+Inf'],
    ['-1', '0', '2.5', '+Inf'],
    ['1', '+Inf'],
    ['0.25', '1e0', '1', 'Inf'],
    ['1', '2', '5'],
    ['+Inf'],
    ['1', 'many', '2', '+Inf'],
  ]);
  const broken = random.chance(0.2);
  const sums = bounds.map(() => 0);
  bounds.forEach((le, at) => {
    add({ __name__: 'd_bucket', q, le }, () => {
      sums[at] = sums[at]! + (broken ? random.int(0, 10) : (at + 1) * random.int(2, 3));
      return sums[at]!;
    });
  });
}

function withGaps(random: Random, values: readonly number[]): Point[] {
  const points: Point[] = [...values];
  const missing = random.pick([0, 0, 0, 0.05, 0.3]);
  const stale = random.pick([0, 0, 0, 0.03]);
  for (let at = 0; at < points.length; at++) {
    if (random.chance(missing)) points[at] = undefined;
    if (random.chance(stale)) points[at] = 'stale';
  }
  if (random.chance(0.15)) points.fill(undefined, 0, random.int(1, points.length - 1));
  if (random.chance(0.15)) points.fill(undefined, random.int(1, points.length - 1));
  return points;
}

/** In promtool's notation of input series. */
export function notation({ labels, points }: RandomSeries): { series: string; values: string } {
  const pairs = Object.entries(labels).filter(([name]) => name !== '__name__');
  const inside = pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',');
  return { series: `${labels.__name__}{${inside}}`, values: points.map(write).join(' ') };
}

function write(point: Point): string {
  if (typeof point !== 'number') return point ?? '_';
  if (Math.abs(point) === Number.POSITIVE_INFINITY) return point > 0 ? 'Inf' : '-Inf';
  return Object.is(point, -0) ? '-0' : String(point);
}

export function load({ intervalS, series }: SeriesGroup): SeriesStore {
  const ticks = Math.max(1, ...series.map(({ points }) => points.length));
  const store = new SeriesStore({ maxSeries: 1000, maxTicks: ticks });
  for (let tick = 0; tick < ticks; tick++) {
    store.tick(tick * intervalS * 1000);
    for (const { labels, points } of series) {
      const point = points[tick];
      if (point === 'stale') store.markStale(store.series(labels));
      else if (point !== undefined) store.set(store.series(labels), point);
    }
  }
  return store;
}
