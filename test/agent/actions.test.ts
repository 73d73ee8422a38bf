import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type Action, Actions, type ActionsOptions } from '../../src/agent/actions.ts';
import type { AlertTransition } from '../../src/model/alert.ts';
import type { LogData } from '../../src/model/log.ts';

function transition(action: string, over: Partial<AlertTransition> = {}): AlertTransition {
  return {
    ...{
      name: 'Stuck',
      group: 'g',
      intervalMs: 5000,
      expr: 'x > 1',
      state: 'firing',
      previousState: 'inactive',
    },
    ...{ labels: { alertname: 'Stuck', task_name: 'resize' }, value: 2, fingerprint: 'ab', at: 5 },
    ...{ activeAt: 1, firedAt: 1, resolvedAt: undefined },
    annotations: { taskwarden_action: action },
    runs: [
      {
        ...{ queue: 'images', task: 'resize', framework: 'test', jobId: '7', attempt: 1, ageMs: 10 },
        ...{ traceId: '1'.repeat(32), spanId: '2'.repeat(16), active: true },
      },
    ],
    ...over,
  };
}

function setup(over: Partial<ActionsOptions> = {}) {
  const events: LogData[] = [];
  const counted: string[] = [];
  const done: string[] = [];
  const act = (name: string): Action => ({
    run: () => {
      done.push(name);
      return { outcome: 'done', message: `${name} it is` };
    },
  });
  const actions = new Actions({
    actions: { exit: act('exit'), 'kill-child': act('kill-child'), 'capture-stack': act('capture-stack') },
    allowed: ['exit', 'kill-child', 'capture-stack'],
    dryRun: false,
    onEvent: (event) => events.push(event),
    count: (name, outcome) => counted.push(`${name} ${outcome}`),
    now: () => 99,
    ...over,
  });
  return { actions, events, counted, done };
}

test('actions are done in the order of the annotation, each an event of its own', async () => {
  const t = setup();
  t.actions.dispatch(transition(' kill-child,exit , kill-child'));
  await turn();
  assert.deepEqual(t.done, ['kill-child', 'exit']);
  assert.deepEqual(t.counted, ['kill-child done', 'exit done']);
  const [event] = t.events;
  assert.equal(event?.eventName, 'taskwarden.action');
  assert.equal(event.body, 'kill-child for Stuck: done, kill-child it is');
  assert.equal(event.traceId, '1'.repeat(32));
  assert.deepEqual(event.attributes, {
    'taskwarden.action.name': 'kill-child',
    'taskwarden.action.outcome': 'done',
    'taskwarden.action.message': 'kill-child it is',
    'taskwarden.alert.name': 'Stuck',
    'taskwarden.alert.fingerprint': 'ab',
    'messaging.system': 'test',
    'messaging.destination.name': 'images',
    'messaging.message.id': '7',
    'task.name': 'resize',
  });
});

test('nothing is done for an alert that ends, is pending, or fires on, or that asks for nothing', async () => {
  const t = setup();
  t.actions.dispatch(transition('exit', { state: 'resolved', previousState: 'firing' }));
  t.actions.dispatch(transition('exit', { state: 'pending' }));
  t.actions.dispatch(transition('exit', { previousState: 'firing' }));
  t.actions.dispatch(transition('exit', { annotations: {} }));
  await turn();
  assert.deepEqual([t.done, t.events], [[], []]);
});

test('what is not allowed, not known or not possible is said, and not done', async () => {
  const t = setup({ allowed: ['capture-stack', 'pause-queue'] });
  t.actions.dispatch(transition('exit, explode, pause-queue, capture-stack'));
  await turn();
  assert.deepEqual(t.done, ['capture-stack']);
  assert.deepEqual(t.counted, [
    'exit not_allowed',
    'unknown unknown',
    'pause-queue refused',
    'capture-stack done',
  ]);
});

test('a dry run captures, and only says what else it would have done', async () => {
  const t = setup({ dryRun: true });
  t.actions.dispatch(transition('capture-stack, exit'));
  await turn();
  assert.deepEqual(t.counted, ['capture-stack done', 'exit dry_run']);
  assert.deepEqual(t.done, ['capture-stack']);
});

test('an action that fails is told, and the next one is done', async () => {
  const broken: Action = { run: () => Promise.reject(new Error('no such thing')) };
  const t = setup({
    actions: { 'kill-child': broken, exit: { run: () => ({ outcome: 'refused', message: 'over' }) } },
  });
  t.actions.dispatch(transition('kill-child, exit'));
  await turn();
  assert.deepEqual(t.counted, ['kill-child failed', 'exit refused']);
  assert.match(t.events[0]?.body ?? '', /no such thing/);
});

test('the alert knows the evidence before it is there; the event names it when it is', async () => {
  const capture: Action = {
    evidence: ({ name }) => `/tmp/${name}`,
    run: (_, evidence) => ({ outcome: 'done', message: `wrote ${evidence}` }),
  };
  const t = setup({ actions: { 'capture-stack': capture } });
  assert.deepEqual(t.actions.dispatch(transition('capture-stack')), ['/tmp/Stuck']);
  await turn();
  assert.equal(t.events[0]?.attributes['taskwarden.evidence'], '/tmp/Stuck');
});

test('in a storm of alerts the actions that come later are refused', async () => {
  const waiting: (() => void)[] = [];
  const slow: Action = {
    run: () => new Promise((resolve) => waiting.push(() => resolve({ outcome: 'done', message: '' }))),
  };
  const t = setup({ actions: { exit: slow } });
  for (let n = 0; n < 20; n++) t.actions.dispatch(transition('exit'));
  await turn();
  assert.equal(waiting.length, 8);
  assert.equal(t.counted.filter((text) => text === 'exit refused').length, 12);
  for (const go of waiting) go();
  await turn();
  t.actions.dispatch(transition('exit'));
  assert.equal(waiting.length, 9);
});
