import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ingest } from '../../src/agent/ingest.ts';
import { Scraper } from '../../src/agent/scrape.ts';
import { maxSeriesPerMetric, storeWarning } from '../../src/agent/series-limits.ts';
import { DEFAULTS } from '../../src/config/options.ts';
import { Registry } from '../../src/store/registry.ts';
import { SeriesStore } from '../../src/store/series-store.ts';
import { record } from './parts.ts';

const ERROR = { error: { type: 'TypeError', message: '', stack: '' } };

test('as many tasks as there may be fit in, with their failures and retries', () => {
  for (const maxTasks of [DEFAULTS.maxTasks, 1000]) {
    let folded = 0;
    const registry = new Registry(0, {
      maxSeriesPerMetric: maxSeriesPerMetric({ maxTasks }, false),
      onFolded: () => folded++,
    });
    const store = new SeriesStore({ maxSeries: 125 * maxTasks, maxTicks: 2 });
    const ingest = new Ingest(registry);
    for (let n = 0; n < maxTasks; n++) {
      const task = { framework: 'bullmq', queue: 'mail', task: `task ${n}` };
      ingest.run(record({ task }));
      ingest.run(
        record({ task, failed: true, attempt: 2, isRetry: true, cpuQuality: 'sync_only', extra: ERROR }),
      );
    }
    new Scraper(registry, store, { job: 'a', instance: '1' }).scrape(1000);
    assert.deepEqual([folded, store.droppedSamples], [0, 0]);
    assert.equal(store.size, 105 * maxTasks);
    assert.ok(store.size < DEFAULTS.store.maxSeries || maxTasks > DEFAULTS.maxTasks);
  }
});

test('a store that is too small for the tasks is told of', () => {
  const store = (maxSeries: number) => ({ ...DEFAULTS.store, maxSeries });
  assert.equal(storeWarning(DEFAULTS), undefined);
  assert.equal(storeWarning({ maxTasks: 10, store: store(1160) }), undefined);
  assert.match(
    storeWarning({ maxTasks: 11, store: store(1160) })!,
    /max_series \(1160\) .* 10 tasks, max_tasks is 11/,
  );
});

test('a sidecar knows the tasks of other processes', () => {
  assert.equal(maxSeriesPerMetric({ maxTasks: 1 }, true), 100_000);
});
