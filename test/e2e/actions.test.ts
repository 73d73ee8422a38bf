import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { message, openPlace, outcome, type Place, worker } from '../fixtures/actions/workers.ts';
import { endPrograms } from '../fixtures/faults/program.ts';

const OLD = Number(process.versions.node.split('.')[0]) < 24 && 'on Node.js 22 terminate-run is refused';

let place: Place;
before(async () => {
  place = await openPlace();
});
// A worker in an endless loop is not to keep the machine from the next test.
afterEach(endPrograms);
after(() => place.end());

test('terminate-run: an endless loop fails as a job does, innocents finish, the process ends to be restarted', {
  skip: OLD,
}, async () => {
  const w = await worker(place, 'terminate', 'terminate-run');
  const innocent = await w.add('innocent', { steps: 50 });
  const job = await w.add('spins-at-once');
  const event = await w.action('terminate-run');
  assert.equal(outcome(event), 'done', message(event));
  assert.equal(event.attributes['messaging.message.id'], job.id);
  const { state, why } = await w.result(job);
  assert.equal(state, 'failed');
  assert.match(why!, /^terminated by Taskwarden after \d+\.\d s: Spins$/);
  assert.deepEqual(await w.result(innocent), { state: 'completed', why: undefined, value: 'finished' });
  const { code, stderr } = await w.ended;
  assert.equal(code, 75);
  assert.equal(stderr, '');
  assert.equal(await (await w.add('quick')).getState(), 'waiting', 'it took no more jobs');
});

test('abort-run, kill-child and exit in one worker, and what the configuration does not allow', async () => {
  const w = await worker(place, 'several', 'abort-run,kill-child,exit', { concurrency: 2 });
  const own = await w.add('waits', { own: true });
  assert.equal(outcome(await w.action('abort-run', own)), 'done');
  assert.deepEqual(await w.result(own), {
    state: 'failed',
    why: 'aborted by Taskwarden: Waits',
    value: null,
  });
  const innocent = await w.add('innocent', { steps: 10 });
  assert.equal(outcome(await w.action('pause-queue')), 'not_allowed');
  const child = await w.add('child', { seconds: 100 });
  const killed = await w.action('kill-child');
  assert.equal(outcome(killed), 'done', message(killed));
  assert.match(message(killed), /^sh \(process \d+\) was ended by SIGTERM/);
  assert.equal((await w.result(child)).state, 'completed');
  assert.equal((await w.result(innocent)).state, 'completed');
  await w.add('stuck');
  assert.equal(outcome(await w.action('exit')), 'done');
  assert.equal((await w.ended).signal, 'SIGTERM');
});

test('pause-queue: no more jobs are taken until the alert ends', async () => {
  const w = await worker(place, 'pause', 'pause-queue', { concurrency: 1 });
  const innocent = await w.add('innocent', { steps: 100 });
  const paused = await w.action('pause-queue');
  assert.equal(outcome(paused), 'done', message(paused));
  const later = await w.add('quick');
  await w.result(innocent);
  assert.equal((await w.result(later)).value, 'quick');
  w.tell('end');
  const { lines, code } = await w.ended;
  assert.equal(code, 0);
  assert.deepEqual(
    lines.slice(1).map((line) => line.completed ?? Object.keys(line)[0]),
    ['paused', 'innocent', 'resumed', 'quick'],
  );
  assert.deepEqual(w.actions(), ['pause-queue done', 'pause-queue done']);
});
