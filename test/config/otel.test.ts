import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/config.ts';
import { DEFAULTS } from '../../src/config/options.ts';

const load = (env: Record<string, string>) => loadConfig({ env, cwd: tmpdir() });

/** The settings, with the assurance that nothing was warned about. */
function read(env: Record<string, string>) {
  const { otel, warnings } = load(env);
  assert.deepEqual(warnings, []);
  return otel;
}

/** The settings of a variable that must be warned about once. */
function bad(env: Record<string, string>, warning: RegExp) {
  const { otel, warnings } = load(env);
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]!, warning);
  return otel;
}

test('the name of the service: its own variable, then the resource attributes, then unknown', () => {
  assert.equal(read({}).serviceName, 'unknown_service:node');
  const attributes = { OTEL_RESOURCE_ATTRIBUTES: 'service.name=mail,deployment.environment.name=prod' };
  assert.equal(read(attributes).serviceName, 'mail');
  const both = read({ ...attributes, OTEL_SERVICE_NAME: 'post' });
  assert.equal(both.serviceName, 'post');
  assert.deepEqual(both.resourceAttributes, {
    'service.name': 'post',
    'deployment.environment.name': 'prod',
  });
});

test('resource attributes are percent-decoded; a malformed one drops them all', () => {
  const { resourceAttributes } = read({ OTEL_RESOURCE_ATTRIBUTES: ' team = a%2Cb%3D%C3%A9 ,, empty=' });
  assert.deepEqual(resourceAttributes, { team: 'a,b=é', empty: '' });
  for (const text of ['a=1,b=%ZZ', 'a=1,b', 'a=1,=2', 'a=1,b=c=d']) {
    const otel = bad({ OTEL_RESOURCE_ATTRIBUTES: text }, /^OTEL_RESOURCE_ATTRIBUTES is ignored: /);
    assert.deepEqual(otel.resourceAttributes, {}, text);
  }
});

test('exporters', () => {
  assert.deepEqual(
    read({ OTEL_TRACES_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'Console, otlp,otlp' }).exporters,
    {
      traces: [],
      metrics: ['otlp'],
      logs: ['console', 'otlp'],
    },
  );
  assert.deepEqual(
    bad({ OTEL_METRICS_EXPORTER: 'prometheus' }, /"prometheus" is not supported/).exporters.metrics,
    ['otlp'],
  );
  assert.deepEqual(bad({ OTEL_METRICS_EXPORTER: 'none,console' }, /"none" stands beside/).exporters.metrics, [
    'console',
  ]);
});

test('protocols: per signal, then for all', () => {
  const protocols = read({
    OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
    OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: 'http/json',
  }).protocols;
  assert.deepEqual(protocols, { traces: 'grpc', metrics: 'grpc', logs: 'http/json' });
  const wrong = bad(
    { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'carrier/pigeon' },
    /http\/protobuf is used; allowed: /,
  );
  assert.equal(wrong.protocols.traces, 'http/protobuf');
});

test('samplers', () => {
  assert.deepEqual(read({}).sampler, { name: 'parentbased_always_on', ratio: 1 });
  const ratio = { OTEL_TRACES_SAMPLER: 'parentbased_traceidratio' };
  assert.deepEqual(read(ratio).sampler, { name: 'parentbased_traceidratio', ratio: 1 });
  assert.equal(read({ ...ratio, OTEL_TRACES_SAMPLER_ARG: '0.25' }).sampler.ratio, 0.25);
  assert.equal(
    bad({ ...ratio, OTEL_TRACES_SAMPLER_ARG: '25%' }, /OTEL_TRACES_SAMPLER_ARG: "25%"/).sampler.ratio,
    1,
  );
  assert.equal(bad({ ...ratio, OTEL_TRACES_SAMPLER_ARG: '-1' }, /from 0 to 1/).sampler.ratio, 1);
  for (const name of [
    'always_on',
    'always_off',
    'traceidratio',
    'parentbased_always_on',
    'parentbased_always_off',
  ])
    assert.equal(read({ OTEL_TRACES_SAMPLER: name.toUpperCase() }).sampler.name, name);
  assert.equal(
    bad({ OTEL_TRACES_SAMPLER: 'jaeger_remote' }, /not supported/).sampler.name,
    'parentbased_always_on',
  );
});

test('metric exports: the timeout never exceeds the interval', () => {
  assert.equal(read({}).metricExportInterval, DEFAULTS.otel.metricExportInterval);
  const set = read({ OTEL_METRIC_EXPORT_INTERVAL: '60000', OTEL_METRIC_EXPORT_TIMEOUT: '5000' });
  assert.deepEqual([set.metricExportInterval, set.metricExportTimeout], [60_000, 5000]);
  assert.equal(read({ OTEL_METRIC_EXPORT_INTERVAL: '2000' }).metricExportTimeout, 2000);
  for (const text of ['0', '-5', '1e3x', '1.5', '9999999999'])
    assert.equal(
      bad({ OTEL_METRIC_EXPORT_INTERVAL: text }, /positive number of ms|milliseconds/).metricExportInterval,
      10_000,
    );
});

test('OTEL_SDK_DISABLED is true by that word alone', () => {
  assert.equal(read({ OTEL_SDK_DISABLED: 'TRUE' }).disabled, true);
  assert.equal(read({ OTEL_SDK_DISABLED: 'false' }).disabled, false);
  assert.equal(bad({ OTEL_SDK_DISABLED: '1' }, /^OTEL_SDK_DISABLED: "1"/).disabled, false);
});

test('OTEL_LOG_LEVEL holds unless our own option is set', () => {
  assert.equal(load({ OTEL_LOG_LEVEL: 'INFO' }).log.level, 'info');
  assert.equal(load({ OTEL_LOG_LEVEL: 'verbose' }).log.level, 'debug');
  assert.equal(load({ OTEL_LOG_LEVEL: 'info', TASKWARDEN_LOG_LEVEL: 'error' }).log.level, 'error');
  const { log, warnings } = load({ OTEL_LOG_LEVEL: 'loud' });
  assert.equal(log.level, 'warn');
  assert.match(warnings[0]!, /OTEL_LOG_LEVEL: "loud"/);
});

test('an empty variable counts as unset', () => {
  const names = ['SDK_DISABLED', 'SERVICE_NAME', 'RESOURCE_ATTRIBUTES', 'TRACES_EXPORTER', 'TRACES_SAMPLER'];
  const more = ['METRIC_EXPORT_INTERVAL', 'EXPORTER_OTLP_PROTOCOL', 'LOG_LEVEL', 'TRACES_SAMPLER_ARG'];
  const empty = Object.fromEntries([...names, ...more].map((name) => [`OTEL_${name}`, ' ']));
  assert.deepEqual(read(empty), read({}));
});

test('an endpoint is a URL, unless gRPC is to find it', () => {
  read({
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://collector.example:4318/base',
    OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: ' ',
  });
  read({ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' });
  for (const text of ['nonsense', 'localhost:4318', 'http://', 'http://a b', 'ftp://collector'])
    bad(
      { OTEL_EXPORTER_OTLP_ENDPOINT: text },
      /^OTEL_EXPORTER_OTLP_ENDPOINT: ".*" is no URL of http or https/,
    );
  bad(
    {
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/protobuf',
      OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'collector:4318',
    },
    /^OTEL_EXPORTER_OTLP_METRICS_ENDPOINT/,
  );
});
