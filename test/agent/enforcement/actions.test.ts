import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { killChild } from '../../../src/agent/enforcement/children.ts';
import { Exit } from '../../../src/agent/enforcement/exit.ts';
import { pauseQueue } from '../../../src/agent/enforcement/pauses.ts';
import { RunActions } from '../../../src/agent/enforcement/runs.ts';
import { F64 } from '../../../src/bridge/protocol.ts';
import type { AlertTransition } from '../../../src/model/alert.ts';
import { bothEnds, MAIL } from '../parts.ts';

type Calls = ConstructorParameters<typeof RunActions>[0]['calls'];

function transition(place: { slot: number; generation: number } | undefined, over: object = {}) {
  return {
    ...{ name: 'Stuck', state: 'firing', fingerprint: 'ab', at: 5, annotations: {}, value: 1 },
    labels: { alertname: 'Stuck', task_name: 'send', messaging_destination_name: 'mail' },
    runs: [{ ...MAIL, jobId: '7', attempt: 1, traceId: '', spanId: '', ageMs: 10, active: true, place }],
    ...over,
  } as unknown as AlertTransition;
}

/** A run in flight, and a main thread that answers with `answer`. */
function setup(
  answer: unknown,
  onCall: (ends: ReturnType<typeof bothEnds>, slot: number) => void = () => {},
) {
  const ends = bothEnds();
  const slot = ends.begin(MAIL, '7');
  const asked: unknown[][] = [];
  let restarts = 0;
  const call = (name: string, parameters: readonly unknown[]): Promise<never> => {
    asked.push([name, ...parameters]);
    onCall(ends, slot);
    return Promise.resolve(answer as never);
  };
  const calls = { call, callNow: call } as unknown as Calls;
  const runs = new RunActions({ inbox: ends.inbox, calls, restart: () => restarts++ });
  const place = { slot, generation: ends.outbox.generation(slot) };
  return { ends, asked, runs, calls, place, restarts: () => restarts };
}

test('an action on a run that has ended does nothing to its successor in the same slot', async () => {
  const t = setup('done');
  t.ends.finish(t.place.slot);
  assert.equal(t.ends.begin(MAIL, '8'), t.place.slot);
  for (const action of [t.runs.abort, t.runs.terminate])
    assert.equal((await action.run(transition(t.place), undefined)).outcome, 'gone');
  assert.deepEqual(t.asked, []);
  assert.equal(t.restarts(), 0);
});

test('a run that ends while the thread is asked is gone, whatever the answer', async () => {
  for (const answer of ['late', 'elsewhere', undefined]) {
    const t = setup(answer, (ends, slot) => ends.finish(slot));
    assert.equal((await t.runs.abort.run(transition(t.place), undefined)).outcome, 'gone');
  }
});

test('what the thread refuses is told', async () => {
  for (const [answer, expected] of [
    ['unheard', /asked for no signal/],
    ['elsewhere', /other code/],
    ['unguarded', /async function/],
    ['macrotask', /Node\.js before 24 would crash|--no-force-async-hooks-checks/],
    ['late', /native code/],
  ] as const) {
    const t = setup(answer);
    const result = await t.runs.terminate.run(transition(t.place), undefined);
    assert.equal(result.outcome, 'refused');
    assert.match(result.message, expected);
    assert.equal(t.restarts(), 0);
  }
});

test('a run that was ended has the process restart', async () => {
  const t = setup('done', (ends, slot) => ends.finish(slot));
  const result = await t.runs.terminate.run(transition(t.place), undefined);
  assert.equal(result.outcome, 'done');
  assert.equal(t.restarts(), 1);
  const [name, id, until, reason] = t.asked[0]!;
  assert.equal(name, 'terminate');
  assert.deepEqual(id, { ...t.place, jobId: '7' });
  assert.ok((until as number) > t.ends.inbox.now());
  assert.equal(reason, 'terminated by Taskwarden after 0.0 s: Stuck');
});

test('an alert without a task, or about another thread, ends nobody', async () => {
  const t = setup('done');
  const noTask = transition(t.place, { labels: { alertname: 'Stuck' } });
  assert.match((await t.runs.terminate.run(noTask, undefined)).message, /names no task/);
  assert.match((await t.runs.terminate.run(transition(undefined), undefined)).message, /main thread/);
  assert.equal((await t.runs.terminate.run(transition(t.place, { runs: [] }), undefined)).outcome, 'gone');
  assert.deepEqual(t.asked, []);
});

test('queues: nobody to pause, paused already, no answer, and the end', async () => {
  for (const [answer, outcome, message] of [
    [{ known: 0, paused: 0 }, 'refused', /no worker of queue mail/],
    [{ known: 2, paused: 0 }, 'done', /paused already/],
    [{ known: 2, paused: 2 }, 'done', /^2 workers of queue mail paused/],
    [undefined, 'failed', /does not answer/],
  ] as const) {
    const result = await pauseQueue(setup(answer).calls).run(transition(undefined), undefined);
    assert.equal(result.outcome, outcome);
    assert.match(result.message, message);
  }
  const nameless = transition(undefined, { labels: {}, runs: [] });
  assert.equal((await pauseQueue(setup({}).calls).run(nameless, undefined)).outcome, 'refused');
  const t = setup(1);
  assert.match((await pauseQueue(t.calls).end!(transition(undefined)))!.message, /^one worker resumed/);
  assert.deepEqual(t.asked, [['resume', 'ab']]);
  assert.equal(await pauseQueue(setup(0).calls).end!(transition(undefined)), undefined);
});

test('the end of the process is asked for once, and comes by force after the grace', async () => {
  const signals: string[] = [];
  let flushed = 0;
  const killed = new Promise<void>((done) => {
    const exit = new Exit({
      calls: setup(undefined).calls,
      graceMs: 5,
      flush: async () => flushed++,
      kill: (_pid, signal) => {
        signals.push(`${signal} ${flushed}`);
        if (signal === 'SIGKILL') done();
      },
    });
    assert.equal((exit.action.run(transition(undefined), undefined) as { outcome: string }).outcome, 'done');
    assert.equal(
      (exit.action.run(transition(undefined), undefined) as { outcome: string }).outcome,
      'refused',
    );
    exit.restart();
  });
  await turn();
  await killed;
  assert.deepEqual(signals, ['SIGTERM 0', 'SIGKILL 1']);
});

test('children: one that was started before the block, or of a thread that answers, is left alone', async () => {
  const child = spawn('sleep', ['100']);
  await once(child, 'spawn');
  // Older than the clock of the kernel can tell.
  await sleep(100);
  const kills: number[] = [];
  const t = setup(undefined);
  const act = (answer: unknown, lagMs: number) => {
    t.ends.shared.f64[F64.beatAt] = performance.now() - lagMs;
    const main = { post: () => Promise.resolve(answer as never) };
    const action = killChild({ inbox: t.ends.inbox, main, kill: (pid) => kills.push(pid) });
    return action.run(transition(t.place), undefined);
  };
  try {
    assert.match((await act({}, 60_000)).message, /waits for no child/);
    assert.match((await act(undefined, -1000)).message, /has started no child/);
    assert.deepEqual(kills, []);
    assert.equal((await act(undefined, 60_000)).outcome, 'failed', 'nothing goes on, as nothing was killed');
    assert.deepEqual(kills, [child.pid, child.pid]);
  } finally {
    child.kill('SIGKILL');
  }
});
