import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endPrograms, hurried, startProgram } from '../fixtures/faults/program.ts';
import { startSink } from '../helpers/otlp-sink.ts';

const THRESHOLD_MS = 500;

after(endPrograms);

describe('a program that puts functions of its own in the place of Node.js’s', { concurrency: 3 }, () => {
  for (const fakes of ['mock', 'still', 'stubs', 'browser']) {
    test(`${fakes}: it goes on, has no timer of ours among its own, and its loop is not taken for a blocked one`, async () => {
      const sink = await startSink();
      const program = startProgram('replaced.ts', {
        args: [fakes],
        env: { ...hurried(sink.url), TASKWARDEN_WATCH_THRESHOLD: `${THRESHOLD_MS}ms` },
      });
      program.tell('hold');
      await program.line('started');
      await sleep(4 * THRESHOLD_MS);
      program.tell('end');
      const { code, stderr, lines } = await program.ended;
      const alerts = sink.logs.filter(({ body }) => /holds the loop|blocks/.test(String(body)));
      const blocked = sink.metrics.filter(({ name }) => name === 'task.event_loop.blocked');
      await sink.down();
      assert.deepEqual([code, stderr], [0, '']);
      assert.deepEqual(alerts, []);
      assert.deepEqual(blocked, []);
      assert.equal(lines.find((line) => 'held' in line)?.held, 0);
    });
  }
});

test('a fault at the end is told, and is not what the program ends with', async () => {
  const program = startProgram('replaced.ts', { args: ['browser', 'broken end'] });
  program.tell('run 20');
  await program.line('ran');
  program.tell('end');
  const { code, stderr } = await program.ended;
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^taskwarden: fault in end, jobs are not affected: Error: not for anybody/);
});
