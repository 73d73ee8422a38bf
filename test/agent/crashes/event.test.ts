import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { crashOf, type SeenEnd } from '../../../src/agent/crashes/crash.ts';
import { crashRecord, sentence } from '../../../src/agent/crashes/event.ts';
import type { Recording } from '../../../src/agent/crashes/layout.ts';
import { readRecording } from '../../../src/agent/crashes/read-recording.ts';
import { fileOf, identity } from './parts.ts';

const recording = (over: Partial<Recording> = {}, jobs = ['1', '2']): Recording => ({
  ...readRecording(fileOf(identity(), jobs))!,
  ...over,
});
const seen = (code: number | null, signal: NodeJS.Signals | null, oomKilled = false): SeenEnd => ({
  code,
  signal,
  oomKilled,
  at: 5000,
});
const FULL = { ...recording().resources, heapUsed: 900 };
const SMALL = { ...recording().resources, rss: 10 };

test('the cause, by what is known', () => {
  for (const [cause, how, over, beside] of [
    ['unknown', /died without a word/, {}, {}],
    ['heap_limit', /died, with its heap almost full/, { resources: FULL }, {}],
    ['heap_limit', /aborted by V8/, { resources: FULL }, { seen: seen(null, 'SIGABRT') }],
    ['signal', /aborted \(SIGABRT\)/, { resources: SMALL }, { seen: seen(null, 'SIGABRT') }],
    ['heap_limit', /aborted by V8/, { resources: FULL }, { seen: seen(134, null) }],
    ['killed', /killed by SIGKILL/, {}, { seen: seen(null, 'SIGKILL') }],
    ['oom_kill', /by the kernel/, {}, { seen: seen(null, 'SIGKILL', true) }],
    ['oom_kill', /by the kernel/, {}, { oomKills: 1 }],
    ['unknown', /without a word/, {}, { oomKills: 0 }],
    ['signal', /killed by SIGSEGV/, {}, { seen: seen(null, 'SIGSEGV') }],
    ['exit', /exit code 3/, {}, { seen: seen(3, null) }],
    ['exit', /exit code 0/, { end: { kind: 'exit', code: 0 } }, {}],
    ['exception', /uncaught exception/, { end: { kind: 'exception', code: 1 } }, { seen: seen(1, null) }],
    ['terminated', /ended by SIGTERM/, { end: { kind: 'signal', code: 15 } }, {}],
    [
      'terminated',
      /ended with exit code 0 after SIGTERM/,
      { stopSignal: 15, end: { kind: 'exit', code: 0 } },
      {},
    ],
    ['terminated', /did not end in time after SIGTERM/, { stopSignal: 15 }, { seen: seen(null, 'SIGKILL') }],
  ] as const) {
    const crash = crashOf(recording(over as Partial<Recording>), beside);
    assert.equal(crash.cause, cause, JSON.stringify(over));
    assert.match(crash.how, how);
  }
});

test('the run that held the thread is the only suspect, and comes first; so is the only task', () => {
  const suspicions = (over: Partial<Recording>, jobs?: string[]) =>
    crashOf(recording(over, jobs)).runs.map(({ jobId, suspicion }) => `${jobId} ${suspicion}`);
  assert.deepEqual(suspicions({ holder: 1 }), ['2 exclusive', '1 shared']);
  assert.deepEqual(suspicions({}), ['1 exclusive', '2 exclusive']);
  const [one, two] = recording().runs;
  const runs = [one!, { ...two!, task: { ...two!.task, task: 'another' }, startedAt: 1000 }];
  assert.deepEqual(suspicions({ runs }), ['2 shared', '1 shared']);
});

test('ages count to the death where it was seen, else to the last recording', () => {
  assert.deepEqual(
    crashOf(recording()).runs.map(({ ageMs }) => ageMs),
    [500, 500],
  );
  assert.deepEqual(
    crashOf(recording(), { seen: seen(1, null) }).runs.map(({ ageMs }) => ageMs),
    [3500, 3500],
  );
});

test('every death has an id of its own', () => {
  const id = (over: Parameters<typeof identity>[0]) => crashOf(recording({ identity: identity(over) })).id;
  assert.match(id({}), /^[0-9a-f]{12}$/);
  assert.equal(
    new Set([
      id({}),
      id({ pid: 1 }),
      id({ start: 1 }),
      id({ boot: 'x' }),
      id({ host: 'x' }),
      id({ pidNamespace: 'x' }),
    ]).size,
    6,
  );
  assert.equal(id({ service: 'renamed' }), id({}));
});

test('a sentence', () => {
  const jobs = ['1', '2', '3', '4', '5', '6', '7'];
  const text = sentence(crashOf(recording({ more: 3 }, jobs), { seen: seen(null, 'SIGKILL') }));
  assert.equal(
    text,
    `Worker 4711 of mailer was killed by SIGKILL after 4.0 s with 10 tasks in flight: ${jobs
      .slice(0, 5)
      .map((job) => `resize (queue images, job ${job}, attempt 2, 3.5 s)`)
      .join('; ')}; 5 more`,
  );
});

test('docs/crashes.md names every attribute of the event, and no other', () => {
  const page = readFileSync(resolve(import.meta.dirname, '../../../docs/crashes.md'), 'utf8');
  const named = [...page.matchAll(/`(taskwarden\.crash\.[a-z_.]+)`/g)].map(([, name]) => name!);
  const { attributes } = crashRecord(crashOf(recording()), 6000);
  assert.deepEqual(named.sort(), Object.keys(attributes).sort());
});
