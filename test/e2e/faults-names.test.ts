import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { DEFAULTS } from '../../src/config/options.ts';
import { endPrograms, runProgram } from '../fixtures/faults/program.ts';
import type { ReceivedPoint } from '../helpers/otlp-items.ts';
import { startSink } from '../helpers/otlp-sink.ts';

const NAMES = 100_000;
const CAP = 50;
const sink = await startSink();

after(async () => {
  endPrograms();
  await sink.down();
});

/** The last point of each series of a metric. */
function series(name: string): ReceivedPoint[] {
  const last = new Map<string, ReceivedPoint>();
  for (const point of sink.metrics)
    if (point.name === name) last.set(JSON.stringify(point.attributes), point);
  return [...last.values()];
}

const total = (name: string): number => series(name).reduce((sum, { value }) => sum + value, 0);

test('a hundred thousand task names have as many series as the cap allows, and every run counts', async () => {
  const { code, lines, stderr } = await runProgram('names.ts', {
    args: [String(NAMES)],
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: sink.url,
      OTEL_TRACES_EXPORTER: 'none',
      TASKWARDEN_MAX_TASKS: String(CAP),
    },
  });
  assert.equal(stderr, '');
  assert.equal(code, 0);
  assert.deepEqual(lines, [{ wrong: 0 }]);

  const runs = series('messaging.client.consumed.messages');
  const names = new Set(runs.map(({ attributes }) => attributes['task.name']));
  // Names with series of their own, "other" of as many queues again, and "other" of all further queues.
  assert.equal(runs.length, 2 * CAP + 1);
  assert.equal(names.size, CAP + 1);
  assert.ok(names.has('other'));
  assert.equal(total('taskwarden.tasks.folded'), NAMES - CAP);
  const dropped = total('taskwarden.records.dropped');
  assert.equal(total('messaging.client.consumed.messages') + dropped, NAMES);
  assert.ok(dropped < NAMES / 2, `most runs got through; ${dropped} did not`);
  const { maxSeries } = DEFAULTS.store;
  assert.ok(total('taskwarden.series') <= maxSeries, 'the store has its own cap');
  assert.ok(total('taskwarden.series.dropped') > 0 || total('taskwarden.series') < maxSeries);
  for (const { name, points } of bySize())
    assert.ok(points <= 20 * (2 * CAP + 1), `${name}: ${points} series`);
});

function bySize(): { name: string; points: number }[] {
  const names = new Set(sink.metrics.map(({ name }) => name));
  return [...names].map((name) => ({ name, points: series(name).length }));
}
