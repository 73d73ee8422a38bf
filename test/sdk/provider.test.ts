import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { context as api, type Context, ROOT_CONTEXT, type Span, SpanKind, trace } from '@opentelemetry/api';
import { suppressTracing } from '@opentelemetry/core';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { LeanContextManager, ROOT, withSpan } from '../../src/sdk/context.ts';
import {
  type EndedSpan,
  isSampled,
  LeanTracerProvider,
  type SamplerOptions,
} from '../../src/sdk/provider.ts';
import { LeanSpan } from '../../src/sdk/span.ts';

const ON: SamplerOptions = { name: 'parentbased_always_on', ratio: 1 };

function provider(sampler = ON) {
  const contexts = new LeanContextManager();
  const ended: EndedSpan[] = [];
  const made = new LeanTracerProvider(contexts, sampler, (span) => ended.push(span));
  return { tracer: made.getTracer('lib', '1.2.3'), contexts, ended };
}

/** The official SDK's provider, for comparison. */
function official() {
  const exporter = new InMemorySpanExporter();
  const made = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { tracer: made.getTracer('lib', '1.2.3'), exporter };
}

const remote = (traceFlags: number): Span =>
  new LeanSpan({ traceId: 'ab'.repeat(16), spanId: 'cd'.repeat(8), traceFlags, isRemote: true }, undefined);

test('samplers decide as those of the JavaScript SDK of the same name', () => {
  const ratios = [0, 0.001, 0.25, 0.5, 0.999, 1];
  const samplers: [SamplerOptions, Sampler][] = [
    [{ name: 'always_on', ratio: 1 }, new AlwaysOnSampler()],
    [{ name: 'always_off', ratio: 1 }, new AlwaysOffSampler()],
    [{ name: 'parentbased_always_on', ratio: 1 }, new ParentBasedSampler({ root: new AlwaysOnSampler() })],
    [{ name: 'parentbased_always_off', ratio: 1 }, new ParentBasedSampler({ root: new AlwaysOffSampler() })],
    ...ratios.flatMap((ratio): [SamplerOptions, Sampler][] => [
      [{ name: 'traceidratio', ratio }, new TraceIdRatioBasedSampler(ratio)],
      [
        { name: 'parentbased_traceidratio', ratio },
        new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
      ],
    ]),
  ];
  const traceIds = [
    ...Array.from({ length: 300 }, () => randomBytes(16).toString('hex')),
    'f'.repeat(8) + '0'.repeat(24),
    '0'.repeat(24) + 'f'.repeat(8),
    '1'.padStart(32, '0'),
  ];
  for (const [options, sampler] of samplers) {
    for (const parent of [undefined, remote(1), remote(0)]) {
      const context = parent === undefined ? ROOT_CONTEXT : trace.setSpan(ROOT_CONTEXT, parent);
      const decisions = traceIds.map((traceId) => {
        const id = parent === undefined ? traceId : parent.spanContext().traceId;
        const { decision } = sampler.shouldSample(context, id, 'name', SpanKind.INTERNAL, {}, []);
        const expected = decision === SamplingDecision.RECORD_AND_SAMPLED;
        assert.equal(
          isSampled(options, id, parent?.spanContext()),
          expected,
          `${options.name} ${options.ratio} ${id}`,
        );
        return expected;
      });
      if (options.ratio === 0.25 && options.name === 'traceidratio' && parent === undefined) {
        const share = decisions.filter(Boolean).length / decisions.length;
        assert.ok(share > 0.1 && share < 0.4, `the comparison has both: ${share}`);
      }
    }
  }
});

test('a span is what the JavaScript SDK makes of the same calls', () => {
  const use = (tracer: ReturnType<typeof provider>['tracer'], parent: Context): void => {
    const span = tracer.startSpan(
      'first name',
      {
        kind: SpanKind.CLIENT,
        startTime: 1_700_000_000_000,
        attributes: {
          text: 'a',
          list: ['x', 'y'],
          '': 'no key',
          odd: { a: 1 } as never,
          mixed: [1, 'a'] as never,
        },
        links: [{ context: remote(1).spanContext(), attributes: { of: 'link', bad: {} as never } }],
      },
      parent,
    );
    span.setAttribute('number', 1.5).setAttributes({ yes: true, gone: undefined, text: 'b' });
    span.setAttribute('holes', [1, null, undefined, 2] as never);
    span.addEvent('plain', 1_700_000_000_100);
    span.addEvent('with', { a: 1, bad: {} as never }, [1_700_000_000, 200_000_000]);
    span.addEvent('dated', new Date(1_700_000_000_300));
    span.recordException(
      Object.assign(new RangeError('no'), { stack: 'stack', code: 'E_NO' }),
      1_700_000_000_400,
    );
    span.recordException('a text', 1_700_000_000_400);
    span.recordException({} as never, 1_700_000_000_400);
    span.addLinks([{ context: remote(0).spanContext() }]);
    span.setStatus({ code: 2, message: 'first' });
    span.setStatus({ code: 0 });
    span.updateName('second name');
    span.end(1_700_000_000_500);
    span.setAttribute('late', 1).addEvent('late').setStatus({ code: 1 }).updateName('late');
    span.end();
  };
  const ours = provider();
  const theirs = official();
  use(ours.tracer, withSpan(ROOT, remote(1)));
  use(theirs.tracer, trace.setSpan(ROOT_CONTEXT, remote(1)));
  const [span, ...more] = ours.ended;
  const [reference] = theirs.exporter.getFinishedSpans();
  assert.equal(more.length, 0);
  const ms = ([s, n]: [number, number]): number => s * 1000 + n / 1e6;
  assert.deepEqual(
    {
      name: span!.name,
      kind: span!.kind,
      start: span!.startTimeMs,
      end: span!.endTimeMs,
      attributes: span!.attributes,
      status: span!.status,
      parent: [span!.traceId, span!.parentSpanId, span!.parentIsRemote],
      events: span!.events,
      links: span!.links,
      scope: span!.scope,
    },
    {
      name: reference!.name,
      kind: reference!.kind,
      start: ms(reference!.startTime),
      end: ms(reference!.endTime),
      attributes: reference!.attributes,
      status: reference!.status,
      parent: [
        reference!.spanContext().traceId,
        reference!.parentSpanContext?.spanId,
        reference!.parentSpanContext?.isRemote,
      ],
      events: reference!.events.map(({ name, time, attributes }) => ({
        name,
        timeMs: ms(time),
        ...(Object.keys(attributes ?? {}).length > 0 && { attributes }),
      })),
      links: reference!.links.map(({ context, attributes }) => ({
        traceId: context.traceId,
        spanId: context.spanId,
        traceFlags: context.traceFlags,
        attributes: attributes ?? {},
      })),
      scope: { name: 'lib', version: '1.2.3' },
    },
  );
});

test('OK is final, and only an error has a message', () => {
  const { tracer, ended } = provider();
  const span = tracer
    .startSpan('x')
    .setStatus({ code: 1, message: 'not for OK' })
    .setStatus({ code: 2, message: 'late' });
  span.end();
  assert.deepEqual(ended[0]!.status, { code: 1 });
});

test('what is over the limits of a span is dropped and counted', () => {
  const { tracer, ended } = provider();
  const span = tracer.startSpan('x');
  for (let i = 0; i < 200; i++) {
    span.setAttribute(`a${i}`, i);
    span.addEvent(`e${i}`);
    span.addLink({
      context: { traceId: String(i).padStart(32, '0'), spanId: '1'.repeat(16), traceFlags: 1 },
    });
  }
  span.setAttribute('a0', 'changed');
  span.addEvent('wide', Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`k${i}`, i])));
  span.end();
  const [{ attributes, events, links, ...counts }] = ended as [EndedSpan];
  assert.deepEqual(
    [Object.keys(attributes).length, attributes.a0, attributes.a128, events.length, links.length],
    [128, 'changed', undefined, 128, 128],
  );
  assert.deepEqual([counts.droppedAttributes, counts.droppedEvents, counts.droppedLinks], [72, 73, 72]);
  const last = events.at(-1) as { name: string; attributes: object };
  assert.deepEqual([last.name, Object.keys(last.attributes).length], ['wide', 128]);
  assert.equal((links.at(-1) as { traceId: string }).traceId, '199'.padStart(32, '0'), 'the newest stay');
});

test('a span never ends before its start', () => {
  const { tracer, ended } = provider();
  tracer.startSpan('x', { startTime: 1_700_000_000_500 }).end(1_700_000_000_000);
  assert.equal(ended[0]!.endTimeMs, 1_700_000_000_500);
});

test('times count from where the API lets them', () => {
  const { tracer, ended } = provider();
  const before = Date.now();
  tracer.startSpan('now').end();
  const at = performance.now();
  tracer.startSpan('monotonic', { startTime: at }).end(at + 5);
  const [now, monotonic] = ended as [EndedSpan, EndedSpan];
  assert.ok(now.startTimeMs >= before - 5 && now.startTimeMs <= Date.now() + 5);
  assert.ok(Math.abs(monotonic.startTimeMs - (performance.timeOrigin + at)) < 1e-3);
});

test('the active span is the parent, through awaits; root spans and invalid parents begin a trace', async () => {
  const { tracer, contexts, ended } = provider();
  const given = await tracer.startActiveSpan('outer', async (outer) => {
    await null;
    tracer.startActiveSpan('inner', { kind: SpanKind.SERVER }, (inner) => inner.end());
    tracer.startActiveSpan('elsewhere', {}, ROOT, (span) => span.end());
    tracer.startSpan('root', { root: true }).end();
    const none = new LeanSpan({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 }, undefined);
    contexts.with(withSpan(ROOT, none), () => tracer.startSpan('orphan').end());
    outer.end();
    return 7;
  });
  assert.equal(given, 7);
  const byName = Object.fromEntries(ended.map((span) => [span.name, span]));
  const { outer, inner } = byName as Record<string, EndedSpan>;
  assert.deepEqual(
    [inner!.traceId, inner!.parentSpanId, inner!.kind],
    [outer!.traceId, outer!.spanId, SpanKind.SERVER],
  );
  for (const name of ['outer', 'elsewhere', 'root', 'orphan']) {
    assert.equal(byName[name]!.parentSpanId, undefined, name);
    assert.match(byName[name]!.traceId, /^(?!0{32})[\da-f]{32}$/);
  }
  assert.equal(
    new Set(['outer', 'elsewhere', 'root', 'orphan'].map((name) => byName[name]!.traceId)).size,
    4,
  );
});

test('what is not sampled records nothing, and neither do its children', () => {
  const { tracer, contexts, ended } = provider();
  const parent = remote(0);
  contexts.with(withSpan(ROOT, parent), () => {
    const span = tracer.startSpan('x');
    assert.equal(span.isRecording(), false);
    const { traceId, traceFlags } = span.spanContext();
    assert.deepEqual([traceId, traceFlags], [parent.spanContext().traceId, 0]);
    span.setAttribute('a', 1).addEvent('e').end();
  });
  assert.deepEqual(ended, []);
});

test('nothing is traced where that is suppressed', () => {
  const { tracer, contexts, ended } = provider();
  contexts.with(suppressTracing(ROOT), () => {
    const span = tracer.startSpan('request of an exporter');
    assert.equal(trace.isSpanContextValid(span.spanContext()), false);
    span.end();
  });
  assert.deepEqual(ended, []);
  assert.equal(api.active(), ROOT_CONTEXT);
});

test('ids do not repeat', () => {
  const { tracer } = provider();
  const ids = new Set<string>();
  for (let i = 0; i < 1000; i++) ids.add(tracer.startSpan('x').spanContext().spanId);
  assert.equal(ids.size, 1000);
});
