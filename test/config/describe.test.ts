import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/config.ts';
import { describe, mask } from '../../src/config/describe.ts';

test('options have value, source and variable; durations are readable', () => {
  const lines = describe(
    loadConfig({ env: { TASKWARDEN_STORE_STEP: '90s', OTEL_SERVICE_NAME: 'mail' }, cwd: tmpdir() }),
  );
  const line = (option: string) => lines.find((candidate) => candidate.option === option);
  assert.deepEqual(line('store.step'), {
    option: 'store.step',
    value: '1m30s',
    source: 'env',
    variable: 'TASKWARDEN_STORE_STEP',
  });
  assert.deepEqual(line('watch.interval'), {
    option: 'watch.interval',
    value: '50ms',
    source: 'default',
    variable: 'TASKWARDEN_WATCH_INTERVAL',
  });
  assert.equal(line('OTEL_SERVICE_NAME')?.value, 'mail');
});

test('no secret of the environment is shown', () => {
  const env = {
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Basic c2VjcmV0,x-team=c2VjcmV0',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'c2VjcmV0',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://user:c2Vj@cmV0@collector:4318/v1?api_key=c2VjcmV0&team=a',
    OTEL_EXPORTER_OTLP_CLIENT_KEY: 'c2VjcmV0',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=mail,my.token=c2VjcmV0,home=http://u:c2VjcmV0@x/',
  };
  const lines = describe(loadConfig({ env, cwd: tmpdir() })).filter(({ option }) =>
    option.startsWith('OTEL_'),
  );
  const shown = Object.fromEntries(lines.map(({ option, value }) => [option, value]));
  assert.deepEqual(shown, {
    OTEL_EXPORTER_OTLP_HEADERS: 'authorization=****,x-team=****',
    OTEL_EXPORTER_OTLP_TRACES_HEADERS: '****',
    OTEL_EXPORTER_OTLP_ENDPOINT: 'https://****@collector:4318/v1?api_key=****&team=a',
    OTEL_EXPORTER_OTLP_CLIENT_KEY: '****',
    OTEL_RESOURCE_ATTRIBUTES: 'service.name=mail,my.token=****,home=http://****@x/',
  });
});

test('what looks like no secret is shown as it is', () => {
  assert.equal(mask('OTEL_EXPORTER_OTLP_ENDPOINT', 'http://127.0.0.1:4318'), 'http://127.0.0.1:4318');
  assert.equal(mask('cpu.mode', 'auto'), 'auto');
  assert.equal(mask('OTEL_EXPORTER_OTLP_CLIENT_KEY', ''), '');
});
