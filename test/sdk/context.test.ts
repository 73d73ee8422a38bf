import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import {
  createContextKey,
  defaultTextMapGetter,
  defaultTextMapSetter,
  ROOT_CONTEXT,
  type TextMapGetter,
  trace,
} from '@opentelemetry/api';
import { suppressTracing, W3CTraceContextPropagator } from '@opentelemetry/core';
import {
  LeanContextManager,
  LeanPropagator,
  parseTraceparent,
  ROOT,
  withSpan,
} from '../../src/sdk/context.ts';
import { LeanSpan } from '../../src/sdk/span.ts';

const KEY = createContextKey('of the test');
const span = (
  over: Partial<{ traceId: string; spanId: string; traceFlags: number; traceState: string }> = {},
) => new LeanSpan({ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceFlags: 1, ...over }, undefined);
const propagator = new LeanPropagator((parent) => new LeanSpan({ ...parent, isRemote: true }, undefined));

test('a context is never changed, and every copy of the API finds the span in it', () => {
  const first = ROOT.setValue(KEY, 1);
  const second = first.setValue(KEY, 2);
  assert.deepEqual(
    [ROOT, first, second, second.deleteValue(KEY)].map((context) => context.getValue(KEY)),
    [undefined, 1, 2, undefined],
  );
  const ours = span();
  assert.equal(trace.getSpan(withSpan(ROOT, ours)), ours);
  assert.equal(trace.getSpan(trace.setSpan(ROOT, ours)), ours);
});

test('the active context goes along with promises and timers, and ends with the call', async () => {
  const contexts = new LeanContextManager();
  const context = ROOT.setValue(KEY, 'here');
  assert.equal(contexts.active(), ROOT);
  const inner = contexts.with(context, async () => {
    await null;
    return new Promise((done) => setTimeout(() => done(contexts.active().getValue(KEY)), 1));
  });
  assert.equal(contexts.active(), ROOT);
  assert.equal(await inner, 'here');
  assert.throws(
    () =>
      contexts.with(context, () => {
        throw new Error('no');
      }),
    /no/,
  );
  assert.equal(contexts.active(), ROOT);
});

test('a function is called with the `this` and the arguments that were given, and its result comes back', () => {
  const contexts = new LeanContextManager();
  const self = { name: 'self' };
  const result = contexts.with(
    ROOT,
    function (this: unknown, ...args: unknown[]) {
      return [this, args];
    },
    self,
    1,
    2,
  );
  assert.deepEqual(result, [self, [1, 2]]);
});

test('a bound function has its context, arity and `this`; what is no function comes back as it is', () => {
  const contexts = new LeanContextManager();
  const bound = contexts.bind(ROOT.setValue(KEY, 'bound'), function (this: unknown, a: number, b: number) {
    return [this, a + b, contexts.active().getValue(KEY)];
  });
  assert.equal(bound.length, 2);
  assert.deepEqual(bound.call('self', 1, 2), ['self', 3, 'bound']);
  const emitter = new EventEmitter();
  assert.equal(contexts.bind(ROOT, emitter), emitter);
  assert.equal(contexts.enable(), contexts);
  contexts.with(ROOT.setValue(KEY, 1), () => {
    contexts.disable();
    assert.equal(contexts.active(), ROOT);
  });
});

const CARRIERS: Record<string, unknown>[] = [
  { traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01` },
  { traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-00`, tracestate: 'a=1,b=2' },
  { traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01`, tracestate: ['a=1', 'b=2'] },
  { traceparent: [`00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-03`] },
  { traceparent: `00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01-more` },
  { traceparent: `01-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01-more` },
  { traceparent: `ff-${'ab'.repeat(16)}-${'cd'.repeat(8)}-01` },
  { traceparent: `00-${'0'.repeat(32)}-${'cd'.repeat(8)}-01` },
  { traceparent: `00-${'ab'.repeat(16)}-${'0'.repeat(16)}-01` },
  { traceparent: `00-${'AB'.repeat(16)}-${'cd'.repeat(8)}-01` },
  { traceparent: `00-${'ab'.repeat(15)}-${'cd'.repeat(8)}-01` },
  { traceparent: 'nonsense' },
  { traceparent: '' },
  { tracestate: 'a=1' },
  {},
];

test("a producer's context is read as the SDK's propagator reads it", () => {
  const official = new W3CTraceContextPropagator();
  const getter: TextMapGetter = defaultTextMapGetter;
  for (const carrier of CARRIERS) {
    const ours = trace.getSpanContext(propagator.extract(ROOT, carrier, getter));
    const theirs = trace.getSpanContext(official.extract(ROOT_CONTEXT, carrier, getter));
    const plain = (context: typeof ours): unknown =>
      context && { ...context, traceState: context.traceState?.serialize() };
    assert.deepEqual(plain(ours), plain(theirs), JSON.stringify(carrier));
  }
  assert.equal(parseTraceparent(undefined, undefined), undefined);
});

test('and written as it writes it', () => {
  const official = new W3CTraceContextPropagator();
  for (const written of [
    span(),
    span({ traceFlags: 0 }),
    span({ traceState: 'a=1,b=2' }),
    span({ traceId: '0'.repeat(32) }),
    span({ spanId: '0'.repeat(16) }),
  ]) {
    const [ours, theirs] = [{}, {}];
    propagator.inject(withSpan(ROOT, written), ours, defaultTextMapSetter);
    official.inject(trace.setSpan(ROOT_CONTEXT, written), theirs, defaultTextMapSetter);
    assert.deepEqual(ours, theirs);
  }
  const nothing = {};
  propagator.inject(ROOT, nothing, defaultTextMapSetter);
  propagator.inject(suppressTracing(withSpan(ROOT, span())), nothing, defaultTextMapSetter);
  assert.deepEqual(nothing, {});
  assert.deepEqual(propagator.fields(), new W3CTraceContextPropagator().fields());
});

test('a trace state can be looked into', () => {
  const state = span({ traceState: 'a=1, bb=2' }).spanContext().traceState!;
  assert.deepEqual([state.get('a'), state.get('bb'), state.get('b')], ['1', '2', undefined]);
  assert.equal(state.set('c', '3').unset('a').serialize(), 'a=1, bb=2', 'it is passed on as it came');
});
