import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Labels } from '../../src/model/labels.ts';
import type { Matcher, SeriesView } from '../../src/model/queryable.ts';
import { SeriesStore, type SeriesStoreOptions } from '../../src/store/series-store.ts';

function storeOf(options: Partial<SeriesStoreOptions> = {}): SeriesStore {
  return new SeriesStore({ maxSeries: 100, maxTicks: 100, ...options });
}

function named(name: string, rest: Labels = {}): Labels {
  return { __name__: name, ...rest };
}

function equals(name: string, value: string): Matcher {
  return { name, type: '=', value, matches: (text) => text === value };
}

const byName = (name: string): Matcher[] => [equals('__name__', name)];

/** Samples of a view as [time, value], a staleness marker as [time, 'stale']. */
function samples(view: SeriesView | undefined): [number, number | 'stale'][] {
  const result: [number, number | 'stale'][] = [];
  if (view === undefined) return result;
  for (let at = view.start; at < view.end; at++) {
    const state = view.presence?.[at] ?? 1;
    if (state !== 0) result.push([view.times[at]!, state === 2 ? 'stale' : view.values[at]!]);
  }
  return result;
}

const all = (store: SeriesStore, name: string) => samples(store.select(byName(name), -Infinity, Infinity)[0]);

test('windows are open on the left and closed on the right', () => {
  const store = storeOf();
  for (const t of [0, 10, 20, 30]) store.append(t, [{ labels: named('a'), value: t }]);
  const [view] = store.select(byName('a'), 0, 20);
  assert.deepEqual(samples(view), [
    [10, 10],
    [20, 20],
  ]);
  assert.deepEqual(store.select(byName('a'), 30, 40), []);
  assert.deepEqual(store.select(byName('a'), 20, 20), []);
});

test('appends of the same time make one row, and a second sample of it replaces the first', () => {
  const store = storeOf();
  store.append(10, [{ labels: named('a'), value: 1 }]);
  store.append(10, [
    { labels: named('b'), value: 2 },
    { labels: named('a'), value: 3 },
  ]);
  assert.equal(store.ticks, 1);
  assert.deepEqual(all(store, 'a'), [[10, 3]]);
  assert.deepEqual(all(store, 'b'), [[10, 2]]);
});

test('an older time is refused, counted, and nothing of it is kept; time then goes on', () => {
  const dropped: number[] = [];
  const store = storeOf({ onDropped: (count) => dropped.push(count) });
  const id = store.series(named('a'));
  assert.equal(store.tick(20), true);
  assert.equal(store.set(id, 1), true);
  assert.equal(store.tick(10), false);
  assert.equal(store.set(id, 2), false);
  store.markStale(id);
  store.append(15, [
    { labels: named('a'), value: 3 },
    { labels: named('new'), value: 3 },
  ]);
  assert.equal(store.droppedSamples, 3);
  assert.deepEqual(dropped, [1, 1, 1]);
  assert.equal(store.size, 1);
  assert.equal(store.tick(Number.NaN), false);
  assert.equal(store.tick(Infinity), false);
  store.append(30, [{ labels: named('a'), value: 4 }]);
  assert.deepEqual(all(store, 'a'), [
    [20, 1],
    [30, 4],
  ]);
});

test('no more than maxSeries; what is refused is counted', () => {
  const store = storeOf({ maxSeries: 2 });
  store.append(
    10,
    ['a', 'b', 'c'].map((name) => ({ labels: named(name), value: 1 })),
  );
  assert.equal(store.size, 2);
  assert.equal(store.series(named('d')), -1);
  assert.equal(store.series(named('a')) >= 0, true);
  assert.equal(store.droppedSamples, 1);
  assert.deepEqual(all(store, 'c'), []);
});

test('labels identify a series whatever their order, and an empty label is none', () => {
  const store = storeOf();
  const id = store.series({ __name__: 'a', x: '1', y: '2' });
  assert.equal(store.series({ y: '2', __name__: 'a', x: '1', z: '' }), id);
  assert.notEqual(store.series({ __name__: 'a', x: '1', y: '3' }), id);
  store.tick(1);
  store.set(id, 5);
  assert.deepEqual(store.select([...byName('a'), equals('z', '')], 0, 1)[0]?.labels, {
    __name__: 'a',
    x: '1',
    y: '2',
  });
});

test('gaps: a series is read with its own samples only', () => {
  const store = storeOf();
  for (let t = 1; t <= 6; t++) {
    store.tick(t);
    store.set(store.series(named('steady')), t);
    if (t === 2 || t === 5) store.set(store.series(named('gappy')), t);
    if (t === 4) store.set(store.series(named('late')), t);
  }
  assert.deepEqual(all(store, 'gappy'), [
    [2, 2],
    [5, 5],
  ]);
  assert.deepEqual(all(store, 'late'), [[4, 4]]);
  const [steady] = store.select(byName('steady'), 0, 6);
  assert.equal(steady?.presence, undefined, 'no presence is kept without a gap');
  assert.deepEqual(store.select(byName('late'), 4, 6), [], 'no tick of its own in the window');
});

test('a staleness marker ends a series, replaces a sample of the same tick, and can itself be replaced', () => {
  const store = storeOf();
  const id = store.series(named('a'));
  store.tick(1);
  store.set(id, 1);
  store.tick(2);
  store.markStale(id);
  store.tick(3);
  store.set(id, 3);
  store.tick(4);
  store.set(id, 4);
  store.markStale(id);
  store.tick(5);
  store.markStale(id);
  store.set(id, 5);
  assert.deepEqual(all(store, 'a'), [
    [1, 1],
    [2, 'stale'],
    [3, 3],
    [4, 'stale'],
    [5, 5],
  ]);
  const never = store.series(named('never'));
  store.markStale(never);
  assert.deepEqual(all(store, 'never'), []);
});

test('values are kept bit by bit: NaN and infinities are samples', () => {
  const store = storeOf();
  const values = [Number.NaN, Infinity, -Infinity, -0, 5e-324];
  for (const [t, value] of values.entries()) store.append(t, [{ labels: named('a'), value }]);
  const kept = all(store, 'a').map(([, value]) => value);
  assert.deepEqual(kept, values);
});

test('irregular ticks over many compactions: what is kept equals a plain list of the newest samples', () => {
  const maxTicks = 20;
  const store = storeOf({ maxTicks });
  const expected = new Map<string, [number, number | 'stale'][]>();
  const times: number[] = [];
  let t = 0;
  let seed = 7;
  const random = (): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed / 2147483648;
  };
  for (let round = 0; round < 500; round++) {
    t += 1 + Math.floor(random() * 50);
    times.push(t);
    store.tick(t);
    for (const name of ['a', 'b', 'c', 'd']) {
      const list = expected.get(name) ?? [];
      expected.set(name, list);
      const kind = name === 'a' ? 0 : random();
      if (kind < 0.6) {
        store.set(store.series(named(name)), round);
        list.push([t, round]);
      } else if (kind < 0.7 && list.some(([at]) => at >= times[times.length - store.ticks]!)) {
        store.markStale(store.series(named(name)));
        list.push([t, 'stale']);
      }
    }
    assert.ok(
      store.ticks >= Math.min(maxTicks, round + 1) && store.ticks <= maxTicks * 1.25,
      `${store.ticks} ticks`,
    );
    const oldest = times[times.length - store.ticks]!;
    const from = times[Math.floor(random() * times.length)]!;
    for (const [name, list] of expected) {
      assert.deepEqual(
        all(store, name),
        list.filter(([at]) => at >= oldest),
        `${name} in round ${round}`,
      );
      const window = samples(store.select(byName(name), from, t)[0]);
      assert.deepEqual(
        window,
        list.filter(([at]) => at >= oldest && at > from),
        `${name} since ${from}`,
      );
    }
  }
});

test('a series without a sample left is released, and its id is never given again', () => {
  const store = storeOf({ maxSeries: 2, maxTicks: 4 });
  const steady = store.series(named('steady'));
  const brief = store.series(named('brief'));
  store.tick(0);
  store.set(brief, 1);
  for (let t = 1; t <= 12; t++) {
    store.tick(t);
    store.set(steady, t);
  }
  assert.equal(store.size, 1);
  assert.deepEqual(store.select(byName('brief'), -1, 12), []);
  assert.equal(store.set(brief, 5), false);
  assert.equal(store.droppedSamples, 1);
  const again = store.series(named('brief'));
  assert.ok(again > brief);
  assert.equal(store.set(again, 6), true);
  assert.deepEqual(all(store, 'brief'), [[12, 6]]);
});

test('an id that was taken just before a compaction can still be written', () => {
  const store = storeOf({ maxTicks: 4 });
  for (let t = 0; t < 5; t++) store.append(t, [{ labels: named('a'), value: t }]);
  const id = store.series(named('b'));
  store.tick(5);
  assert.equal(store.ticks, 4, 'the tick made the store compact');
  assert.equal(store.set(id, 1), true);
  assert.deepEqual(all(store, 'b'), [[5, 1]]);
});

test('what matchers select is remembered, yet follows series that come and go', () => {
  const store = storeOf({ maxTicks: 4 });
  let asked = 0;
  const counting: Matcher = {
    name: 'q',
    type: '=~',
    value: '.+',
    matches: (text) => ++asked > 0 && text !== '',
  };
  const matchers = [equals('__name__', 'a'), counting];
  const select = (): (string | undefined)[] => store.select(matchers, -1, 100).map((view) => view.labels.q);
  store.append(0, [{ labels: named('a', { q: '1' }), value: 1 }]);
  assert.deepEqual(select(), ['1']);
  assert.deepEqual(select(), ['1']);
  assert.equal(asked, 1);
  store.append(1, [{ labels: named('other'), value: 1 }]);
  assert.deepEqual(select(), ['1']);
  assert.equal(asked, 1, 'another metric changes nothing');
  store.append(1, [{ labels: named('a', { q: '2' }), value: 1 }]);
  assert.deepEqual(select(), ['1', '2']);
  for (let t = 2; t < 12; t++) store.append(t, [{ labels: named('a', { q: '2' }), value: 1 }]);
  assert.deepEqual(select(), ['2']);
  const everything: Matcher[] = [{ ...counting, name: '__name__' }];
  assert.equal(store.select(everything, 0, 100).length, 1);
});

test('the label object of a series is the same every time', () => {
  const store = storeOf();
  store.append(1, [{ labels: named('a'), value: 1 }]);
  const [first] = store.select(byName('a'), 0, 1);
  store.append(2, [{ labels: named('a'), value: 1 }]);
  assert.equal(store.select(byName('a'), 0, 2)[0]?.labels, first?.labels);
});

test('memory grows with use: nothing when empty, 8 bytes a sample and little more when full', () => {
  const store = storeOf({ maxSeries: 2000, maxTicks: 180 });
  assert.ok(store.bytes <= 256, `${store.bytes} bytes when empty`);
  const ids = Array.from({ length: 700 }, (_, at) => store.series(named('a', { at: String(at) })));
  for (let t = 0; t < 1000; t++) {
    store.tick(t);
    for (const id of ids) store.set(id, t);
    if (t === 10) assert.ok(store.bytes < 100_000, `${store.bytes} bytes after 10 ticks`);
  }
  assert.ok(store.bytes <= 701 * 225 * 8, `${store.bytes} bytes when full`);
});

test('after the last fall that a view knows of, no sample is below the one before it', () => {
  let seed = 7;
  const lot = (below: number): number => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return (seed >>> 16) % below;
  };
  const store = storeOf({ maxTicks: 12 });
  let [value, steady] = [0, 0];
  for (let tick = 0; tick < 3000; tick++) {
    store.tick(tick);
    const id = store.series(named('a'));
    const what = lot(40);
    if (what === 0) store.markStale(id);
    else if (what !== 1) {
      value = what === 2 ? lot(5) : what === 3 ? Number.NaN : (value || 0) + lot(4);
      if (what === 4) store.set(id, value + 100);
      store.set(id, value);
    }
    const [view] = store.select(byName('a'), tick - 6, tick);
    if (view?.presence !== undefined || view === undefined) continue;
    assert.ok(view.lastFall !== undefined);
    if (view.lastFall <= view.start) steady++;
    for (let at = Math.max(view.start, view.lastFall) + 1; at < view.end; at++)
      assert.ok(view.values[at]! >= view.values[at - 1]!, `${at} at ${tick}`);
  }
  assert.ok(steady > 100, 'and most views know of none');
});

test('samples of labels that were seen before find their series, also when it was let go meanwhile', () => {
  const store = storeOf({ maxTicks: 4 });
  const labels = Object.freeze(named('a', { b: '' }));
  for (let t = 0; t < 3; t++) store.append(t, [{ labels, value: t }]);
  assert.equal(store.size, 1);
  for (let t = 3; t < 20; t++) store.append(t, [{ labels: named('b'), value: t }]);
  assert.deepEqual(all(store, 'a'), []);
  store.append(20, [{ labels, value: 5 }]);
  assert.deepEqual(all(store, 'a'), [[20, 5]]);
});

test('a series that begins at 0 has a sample of the tick before, if it has no other', () => {
  const store = storeOf();
  const begin = (label: Labels): number => {
    const id = store.series(label);
    store.beginAtZero(id);
    return id;
  };
  store.tick(10);
  store.set(begin(named('first')), 5);
  store.tick(20);
  store.set(begin(named('first')), 6);
  store.set(begin(named('second')), 7);
  store.tick(30);
  store.set(begin(named('second')), 8);
  assert.deepEqual(all(store, 'first'), [
    [10, 5],
    [20, 6],
  ]);
  assert.deepEqual(all(store, 'second'), [
    [10, 0],
    [20, 7],
    [30, 8],
  ]);
  const [view] = store.select(byName('second'), -Infinity, Infinity);
  assert.equal(view?.presence, undefined, 'without a gap');
  assert.ok(view!.lastFall! < 1, 'and it rises');
  store.tick(25);
  store.beginAtZero(store.series(named('refused')));
  store.beginAtZero(-1);
  assert.deepEqual(all(store, 'refused'), []);
  assert.equal(store.droppedSamples, 0);
});
