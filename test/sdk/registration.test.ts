import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { afterEach, mock, test } from 'node:test';
import type { ContextManager, TracerProvider } from '@opentelemetry/api';
import { LeanContextManager, LeanPropagator } from '../../src/sdk/context.ts';
import { LeanTracerProvider } from '../../src/sdk/provider.ts';
import { type ApiModule, apiGlobals, Registration } from '../../src/sdk/registration.ts';
import { MANY_RUNS } from '../../src/sdk/sdk.ts';
import { LeanSpan } from '../../src/sdk/span.ts';
import { mainSide, runInfo } from '../helpers/main-side.ts';

const require = createRequire(import.meta.url);
const folder = /.*\/@opentelemetry\/api\//.exec(require.resolve('@opentelemetry/api'))![0];

/** A copy of the API of its own, as two packages may bring two, that says it is of `version`. */
function copyOfApi(version = '1.9.1'): ApiModule {
  for (const file of Object.keys(require.cache)) if (file.startsWith(folder)) delete require.cache[file];
  (require(`${folder}build/src/version.js`) as { VERSION: string }).VERSION = version;
  return require(folder) as ApiModule;
}

function registration() {
  const contexts = new LeanContextManager();
  const spans: string[] = [];
  const provider = new LeanTracerProvider(contexts, { name: 'always_on', ratio: 1 }, ({ name }) =>
    spans.push(name),
  );
  const propagation = new LeanPropagator((parent) => new LeanSpan(parent, undefined));
  const taken: TracerProvider[] = [];
  const made = new Registration({ trace: provider, context: contexts, propagation }, (theirs) => {
    taken.push(theirs);
    provider.handOver(theirs);
  });
  return { made, spans, taken, contexts };
}

/** Notes the names of the spans that it is asked for. */
function hostProvider() {
  const started: string[] = [];
  const span = new LeanSpan({ traceId: '1'.repeat(32), spanId: '2'.repeat(16), traceFlags: 0 }, undefined);
  const provider = {
    getTracer: () => ({
      startSpan: (name: string) => {
        started.push(name);
        return span;
      },
      startActiveSpan: (name: string, fn: (active: LeanSpan) => unknown) => {
        started.push(name);
        return fn(span);
      },
    }),
  } as unknown as TracerProvider;
  return { provider, started };
}

afterEach(() => {
  delete (globalThis as Record<symbol, unknown>)[Symbol.for('opentelemetry.js.api.1')];
});

test('spans that the host makes through the API are ours until it has a provider', () => {
  const api = copyOfApi();
  const { made, spans, taken } = registration();
  const tracer = api.trace.getTracer('shop');
  made.add(api);
  tracer.startSpan('before').end();
  assert.equal(made.serving, true);
  const host = hostProvider();
  assert.equal(api.trace.setGlobalTracerProvider(host.provider), true);
  assert.deepEqual(taken, [host.provider]);
  assert.equal(made.serving, false);
  // The tracer that the host got when ours was there goes on with the host's.
  tracer.startSpan('after').end();
  assert.equal(
    tracer.startActiveSpan('active', () => 7),
    7,
  );
  api.trace.getTracer('new').startSpan('new').end();
  assert.deepEqual(spans, ['before']);
  assert.deepEqual(host.started, ['after', 'active', 'new']);
});

for (const order of ['context first', 'provider first']) {
  test(`a host with another copy and version of the API can register: ${order}`, () => {
    const ours = copyOfApi('1.9.1');
    const theirs = copyOfApi('1.8.0');
    const { made, taken } = registration();
    made.add(ours);
    made.add(theirs);
    const host = hostProvider();
    const contexts: ContextManager = new LeanContextManager();
    const steps = [
      () => theirs.context.setGlobalContextManager(contexts),
      () => theirs.trace.setGlobalTracerProvider(host.provider),
    ];
    if (order === 'provider first') steps.reverse();
    for (const step of steps) assert.equal(step(), true);
    assert.deepEqual(taken, [host.provider]);
    assert.equal(apiGlobals()?.context, contexts);
    assert.equal(apiGlobals()?.version, '1.8.0');
  });
}

test('what the host does not replace stays ours', () => {
  const api = copyOfApi();
  const { made, spans, contexts } = registration();
  made.add(api);
  const propagator = new LeanPropagator((parent) => new LeanSpan(parent, undefined));
  assert.equal(api.propagation.setGlobalPropagator(propagator), true);
  api.trace.getTracer('shop').startSpan('still ours').end();
  assert.deepEqual(spans, ['still ours']);
  assert.equal(apiGlobals()?.context, contexts);
});

test('a host that registered first is left alone', () => {
  const api = copyOfApi();
  const host = hostProvider();
  api.trace.setGlobalTracerProvider(host.provider);
  const { made } = registration();
  made.add(api);
  assert.equal(made.serving, false);
  api.trace.getTracer('shop').startSpan('theirs').end();
  assert.deepEqual(host.started, ['theirs']);
});

test('a second provider of the host is refused by the API, as without us', () => {
  const api = copyOfApi();
  const { made, taken } = registration();
  made.add(api);
  const [first, second] = [hostProvider(), hostProvider()];
  assert.equal(api.trace.setGlobalTracerProvider(first.provider), true);
  assert.equal(api.trace.setGlobalTracerProvider(second.provider), false);
  assert.deepEqual(taken, [first.provider]);
});

/** Runs beside an SDK of the host, and how often it was told of. */
function besideHost() {
  const api = copyOfApi();
  api.trace.setGlobalTracerProvider(hostProvider().provider);
  let told = 0;
  const { sdk, tasks } = mainSide({ sdk: { onUnrecorded: () => told++ } });
  sdk.apiLoaded(api);
  return { tasks, told: () => told };
}

test('an SDK of the host that never records a run is told of, once', () => {
  const { tasks, told } = besideHost();
  for (let run = 1; run <= 2 * MANY_RUNS; run++) {
    tasks.run(runInfo, () => {});
    assert.equal(told(), run < MANY_RUNS ? 0 : 1);
  }
});

test('an SDK of the host that has recorded a run goes unmentioned, whatever it samples', () => {
  const { tasks, told } = besideHost();
  const isRecording = mock.method(LeanSpan.prototype, 'isRecording', () => true);
  tasks.run(runInfo, () => {});
  isRecording.mock.restore();
  for (let run = 0; run < MANY_RUNS; run++) tasks.run(runInfo, () => {});
  assert.equal(told(), 0);
});
