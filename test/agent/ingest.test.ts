import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gaugeActive } from '../../src/agent/active.ts';
import { Ingest, taskKeyText } from '../../src/agent/ingest.ts';
import { countOf, inFlight, MAIL, newRegistry, REPORT, record, taskValue } from './parts.ts';

function setup() {
  const registry = newRegistry();
  const ingest = new Ingest(registry);
  const of = (name: Parameters<typeof taskValue>[1], more = {}, task = MAIL) =>
    taskValue(registry, name, task, more);
  return { registry, ingest, of };
}

test('a new task has series of value 0, so that its first run is an increase', () => {
  const { registry, ingest, of } = setup();
  ingest.task(MAIL);
  assert.equal(of('task.runs', { 'task.outcome': 'success' }), 0);
  assert.equal(of('task.runs', { 'task.outcome': 'failure' }), 0);
  assert.equal(of('messaging.client.consumed.messages'), 0);
  assert.equal(of('task.network.requests'), 0);
  assert.equal(countOf(registry, 'messaging.process.duration'), 0);
});

test('a run becomes one observation of everything that is known of it', () => {
  const { registry, ingest, of } = setup();
  ingest.run(record());
  assert.equal(of('messaging.client.consumed.messages', { 'messaging.operation.name': 'process' }), 1);
  assert.equal(of('task.runs', { 'task.outcome': 'success' }), 1);
  assert.equal(of('task.runs', { 'task.outcome': 'failure' }), 0);
  assert.equal(of('messaging.process.duration'), 0.12);
  assert.equal(of('task.wait.duration', { 'task.retry': 'false' }), 0.03);
  assert.equal(of('task.cpu.time', { 'task.cpu.quality': 'exact' }), 0.05);
  assert.equal(of('task.event_loop.block.duration'), 0.02);
  assert.equal(of('task.network.requests'), 3);
  assert.equal(of('task.network.io', { 'network.io.direction': 'receive' }), 1000);
  assert.equal(of('task.network.io', { 'network.io.direction': 'transmit' }), 200);
  assert.equal(of('task.payload.size'), 17);
  assert.equal(ingest.finished, 1);
  assert.deepEqual([...ingest.completed], [[taskKeyText(MAIL), 1]]);
  assert.equal(countOf(registry, 'messaging.process.duration'), 1);
});

test('what is not known is not 0', () => {
  const { registry, ingest, of } = setup();
  ingest.run(record({ waitMs: undefined, payloadBytes: undefined, cpuQuality: 'off', cpuMs: 0 }));
  assert.equal(countOf(registry, 'task.wait.duration'), 0);
  assert.equal(countOf(registry, 'task.payload.size'), 0);
  assert.equal(countOf(registry, 'task.event_loop.block.duration'), 0);
  assert.equal(of('task.cpu.time'), undefined);
});

test('the wait of a later attempt has a series of its own', () => {
  const { of, ingest } = setup();
  ingest.run(record({ attempt: 2, waitMs: 1000 }));
  assert.equal(of('task.wait.duration', { 'task.retry': 'true' }), 1);
  assert.equal(of('task.wait.duration', { 'task.retry': 'false' }), 0);
});

test('retries count by what the library says of the job, whatever is known of their wait', () => {
  const { of, ingest } = setup();
  ingest.task(MAIL);
  assert.equal(of('task.retries'), 0);
  ingest.run(record({ attempt: 2, isRetry: true, waitMs: undefined }));
  ingest.run(record({ attempt: 2, isRetry: false }));
  assert.equal(of('task.retries'), 1);
});

test('a failed run counts by the type of its error, and types over the cap are one', () => {
  const { registry, ingest, of } = setup();
  const failed = (type: string) => record({ failed: true, extra: { error: { type, message: 'no' } } });
  for (let n = 0; n < 100; n++) ingest.run(failed(`Error${n}`));
  ingest.run(failed('Error3'));
  ingest.run(record({ failed: true }));
  assert.equal(of('task.runs', { 'task.outcome': 'failure' }), 102);
  assert.equal(countOf(registry, 'messaging.process.duration', { 'error.type': 'Error3' }), 2);
  assert.equal(countOf(registry, 'messaging.process.duration', { 'error.type': '_OTHER' }), 81);
  const types = new Set<string | undefined>();
  for (const metric of registry.metrics())
    if (metric.name === 'messaging.process.duration')
      for (const { attributes } of metric.points.values()) types.add(attributes['error.type']);
  assert.equal(types.size, 22, '20 types, _OTHER, and runs without an error');
});

test('what a run in flight has used counts at once, and not again when it ends', () => {
  const { ingest, of } = setup();
  const exact = { 'task.cpu.quality': 'exact' };
  ingest.active([inFlight({ cpuMs: 1000, requests: 5, bytesIn: 10, bytesOut: 20 })]);
  assert.equal(of('task.cpu.time', exact), 1);
  ingest.active([inFlight({ cpuMs: 1500, requests: 7, bytesIn: 10, bytesOut: 40 })]);
  assert.equal(of('task.cpu.time', exact), 1.5);
  assert.equal(of('task.network.requests'), 7);
  assert.equal(of('messaging.client.consumed.messages'), 0, 'it has not ended');
  ingest.run(record({ cpuMs: 2000, requests: 8, bytesIn: 30, bytesOut: 40 }));
  assert.equal(of('task.cpu.time', exact), 2);
  assert.equal(of('task.network.requests'), 8);
  assert.equal(of('task.network.io', { 'network.io.direction': 'receive' }), 30);
  assert.equal(of('task.network.io', { 'network.io.direction': 'transmit' }), 40);
});

test('what a run in flight has used before this agent was there does not count', () => {
  const { ingest, of } = setup();
  const exact = { 'task.cpu.quality': 'exact' };
  ingest.takeOver([inFlight({ cpuMs: 60_000, requests: 500, bytesIn: 1000 })]);
  ingest.active([inFlight({ cpuMs: 61_000, requests: 501, bytesIn: 1000 })]);
  assert.equal(of('task.cpu.time', exact), 1);
  assert.equal(of('task.network.requests'), 1);
  ingest.run(record({ cpuMs: 62_000, requests: 501, bytesIn: 1010 }));
  assert.equal(of('task.cpu.time', exact), 2);
  assert.equal(of('task.network.requests'), 1);
  assert.equal(of('task.network.io', { 'network.io.direction': 'receive' }), 10);
});

test('the successor in a slot is another run', () => {
  const { ingest, of } = setup();
  ingest.active([inFlight({ generation: 5, requests: 5 })]);
  ingest.active([inFlight({ generation: 7, requests: 2 })]);
  assert.equal(of('task.network.requests'), 7);
  ingest.run(record({ generation: 7, requests: 3 }));
  assert.equal(of('task.network.requests'), 8);
});

test('runs in flight are counted by task, with the age of the oldest; a task without any has 0', () => {
  const { registry, of } = setup();
  gaugeActive(registry, [MAIL, REPORT], [inFlight({ ageMs: 500 }), inFlight({ slot: 4, ageMs: 2500 })]);
  assert.equal(of('task.active'), 2);
  assert.equal(of('task.active.oldest'), 2.5);
  assert.equal(of('task.active', {}, REPORT), 0);
  gaugeActive(registry, [MAIL, REPORT], []);
  assert.equal(of('task.active'), 0);
  assert.equal(of('task.active.oldest'), 0);
});
