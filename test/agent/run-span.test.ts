import assert from 'node:assert/strict';
import { test } from 'node:test';
import { spanOfRun } from '../../src/agent/run-span.ts';
import { record, SPAN_ID, TRACE_ID } from './parts.ts';

test('the span of a run follows the messaging conventions', () => {
  const span = spanOfRun(record({ attempt: 2 }), '1.2.3');
  assert.equal(span.name, 'process mail');
  assert.equal(span.kind, 4);
  assert.equal(span.traceId, TRACE_ID);
  assert.equal(span.spanId, SPAN_ID);
  assert.equal(span.parentSpanId, undefined);
  assert.equal(span.traceFlags, 1);
  assert.equal(span.startTimeMs, 1_700_000_000_000);
  assert.equal(span.endTimeMs, 1_700_000_000_120);
  assert.deepEqual(span.status, { code: 0 });
  assert.deepEqual(span.scope, { name: 'taskwarden', version: '1.2.3' });
  assert.deepEqual(span.events, []);
  assert.deepEqual(span.links, []);
  const expected = {
    'messaging.system': 'test',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'mail',
    'messaging.message.id': '42',
    'task.name': 'send',
    'task.attempt': 2,
    'task.network.requests': 3,
    'task.cpu.quality': 'exact',
  };
  for (const [name, value] of Object.entries(expected)) assert.equal(span.attributes[name], value, name);
});

test('what is not known is left out', () => {
  const known = Object.keys(spanOfRun(record(), '1').attributes);
  const span = spanOfRun(record({ waitMs: undefined, payloadBytes: undefined }), '1');
  const missing = known.filter((name) => !(name in span.attributes));
  assert.equal(missing.length, 2, missing.join());
  for (const value of Object.values(span.attributes)) assert.ok(!Number.isNaN(value));
});

test('a failure is status ERROR with the exception as an event at the end', () => {
  const error = { type: 'TypeError', message: 'no such user', stack: 'TypeError: no such user\n    at x' };
  const span = spanOfRun(record({ failed: true, extra: { error } }), '1');
  assert.deepEqual(span.status, { code: 2, message: 'no such user' });
  assert.equal(span.attributes['error.type'], 'TypeError');
  assert.deepEqual(span.events, [
    {
      name: 'exception',
      timeMs: span.endTimeMs,
      attributes: {
        'exception.type': 'TypeError',
        'exception.message': 'no such user',
        'exception.stacktrace': error.stack,
      },
    },
  ]);
  const bare = spanOfRun(record({ extra: { error: { type: 'string', message: 'oops' } } }), '1');
  assert.deepEqual(bare.events[0]?.attributes, { 'exception.type': 'string', 'exception.message': 'oops' });
});

test('what the application put on it stays: name, attributes, events, links, parent, state', () => {
  const links = [{ traceId: TRACE_ID, spanId: SPAN_ID, traceFlags: 1 }];
  const events = [{ name: 'half-way', timeMs: 1_700_000_000_060 }];
  const span = spanOfRun(
    record({
      extra: {
        name: 'my own',
        attributes: { tenant: 'acme', 'task.name': 'renamed' },
        events,
        links,
        parentSpanId: '1111111111111111',
        traceState: 'a=b',
        error: { type: 'Error', message: 'no' },
      },
    }),
    '1',
  );
  assert.equal(span.name, 'my own');
  assert.equal(span.attributes.tenant, 'acme');
  assert.equal(span.attributes['task.name'], 'renamed');
  assert.deepEqual(span.links, links);
  assert.deepEqual(
    span.events.map(({ name }) => name),
    ['half-way', 'exception'],
  );
  assert.equal(span.parentSpanId, '1111111111111111');
  assert.equal(span.traceState, 'a=b');
});
