import assert from 'node:assert/strict';
import fs, { appendFileSync, readdirSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';
import { mock, test } from 'node:test';
import { crashOf } from '../../../src/agent/crashes/crash.ts';
import { Deaths } from '../../../src/agent/crashes/deaths.ts';
import { readRecording } from '../../../src/agent/crashes/read-recording.ts';
import { fileOf, folder, identity } from './parts.ts';

const OPTIONS = { deaths: 3, taskDeaths: 5, window: 86_400_000 };
const HOUR = 3_600_000;

function death(jobs: readonly string[], at: number, service = 'mailer') {
  return { ...crashOf(readRecording(fileOf(identity({ service }), jobs))!), at };
}

test('a job that was in flight at three deaths is poison, also for those who come later', () => {
  const path = folder();
  for (const at of [0, 1, 2]) {
    assert.deepEqual(new Deaths(path).poison('mailer', 3, OPTIONS), []);
    new Deaths(path).remember(death(['42', `other-${at}`], at));
  }
  const [poison, ...more] = new Deaths(path).poison('mailer', 3, OPTIONS);
  assert.deepEqual(more, []);
  assert.equal(poison?.jobId, '42');
  assert.equal(poison?.deaths, 3);
  assert.equal(poison?.task.task, 'resize');
  assert.deepEqual(new Deaths(path).poison('another', 3, OPTIONS), []);
  assert.deepEqual(new Deaths(path).poison('mailer', OPTIONS.window + 1, OPTIONS), [], 'too long ago');
});

test('a job that has run well since is no poison, until it is in flight at as many deaths again', () => {
  const deaths = new Deaths(folder());
  for (const at of [0, 1, 2]) deaths.remember(death(['42', 'beside'], at));
  const [poison] = deaths.poison('mailer', 3, OPTIONS).filter(({ jobId }) => jobId === '42');
  const { version } = deaths;
  deaths.heal(poison!, 'mailer', 3);
  assert.notEqual(deaths.version, version);
  assert.deepEqual(
    deaths.poison('mailer', 4, OPTIONS).map(({ jobId }) => jobId),
    ['beside'],
  );
  const jobs = () => deaths.poison('mailer', 9, { ...OPTIONS, taskDeaths: 100 }).map(({ jobId }) => jobId);
  for (const at of [5, 6]) deaths.remember(death(['42'], at));
  assert.deepEqual(jobs(), ['beside']);
  deaths.remember(death(['42'], 8));
  assert.deepEqual(jobs(), ['42', 'beside']);
});

test('a job that was in flight twice at one death was so at one', () => {
  const deaths = new Deaths(folder());
  for (const at of [0, 1]) deaths.remember(death(['42', '42'], at));
  assert.deepEqual(deaths.poison('mailer', 3, OPTIONS), []);
});

test('a task that was the only suspect of five deaths within an hour is poison as a whole', () => {
  const path = folder();
  const deaths = new Deaths(path);
  for (let i = 0; i < 5; i++) deaths.remember(death([`a${i}`, `b${i}`], i));
  assert.deepEqual(
    deaths.poison('mailer', HOUR, OPTIONS).map(({ task, jobId, deaths }) => [task.task, jobId, deaths]),
    [['resize', '', 5]],
  );
  assert.deepEqual(deaths.poison('mailer', HOUR + 1, OPTIONS), []);
});

test('runs without a job id are no one job', () => {
  const deaths = new Deaths(folder());
  for (let i = 0; i < 4; i++) deaths.remember(death([''], i));
  assert.deepEqual(deaths.poison('mailer', 5, OPTIONS), []);
});

test('what is remembered is bounded', () => {
  const path = folder();
  const deaths = new Deaths(path);
  const jobs = Array.from({ length: 500 }, (_, i) => `${i}`.padStart(100, 'x'));
  for (let i = 0; i < 100; i++) deaths.remember(death(jobs, i));
  assert.deepEqual(readdirSync(path).sort(), ['deaths.jsonl', 'deaths.jsonl.old']);
  for (const name of readdirSync(path)) assert.ok(statSync(join(path, name)).size < 300_000);
  assert.equal(deaths.poison('mailer', 100, OPTIONS).length, 20);
});

test('lines that are no deaths are passed over', () => {
  const path = folder();
  const deaths = new Deaths(path);
  for (const line of ['{"at":', '', 'null', '{"at":1,"service":"mailer","runs":[[1]]}', '[]'])
    appendFileSync(join(path, 'deaths.jsonl'), `${line}\n`);
  for (let i = 0; i < 3; i++) deaths.remember(death(['1'], i));
  assert.equal(deaths.poison('mailer', 5, OPTIONS)[0]?.jobId, '1');
});

test('another process that puts the full file away at the same moment costs no death', () => {
  for (const others of [[], ['42']]) {
    const path = folder();
    const file = join(path, 'deaths.jsonl');
    const rename = renameSync;
    writeFileSync(file, `${'x'.repeat(300_000)}\n`);
    mock.method(fs, 'renameSync', (from: string, to: string) => {
      mock.restoreAll();
      syncBuiltinESMExports();
      rename(file, `${file}.old`);
      for (const job of others) new Deaths(path).remember(death([job], 0));
      rename(from, to);
    });
    syncBuiltinESMExports();
    for (const at of [1, 2, 3]) new Deaths(path).remember(death(['42'], at));
    assert.deepEqual(readdirSync(path).sort(), ['deaths.jsonl', 'deaths.jsonl.old']);
    assert.ok(statSync(`${file}.old`).size > 300_000);
    assert.equal(new Deaths(path).poison('mailer', 4, OPTIONS)[0]?.deaths, 3 + others.length);
  }
});
