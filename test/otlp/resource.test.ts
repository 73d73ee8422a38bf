import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { test } from 'node:test';
import { VERSION } from '../../src/model/package.ts';
import { resourceAttributes } from '../../src/otlp/resource.ts';

test('defaults', () => {
  const attributes = resourceAttributes(undefined, {});
  assert.equal(attributes['service.name'], 'unknown_service:node');
  assert.match(String(attributes['service.instance.id']), /^[0-9a-f]{8}-[0-9a-f]{4}-4/);
  assert.notEqual(
    resourceAttributes(undefined, {})['service.instance.id'],
    attributes['service.instance.id'],
  );
  assert.equal(attributes['process.pid'], process.pid);
  assert.deepEqual(
    [attributes['process.runtime.name'], attributes['process.runtime.version']],
    ['nodejs', process.versions.node],
  );
  assert.deepEqual([attributes['host.name'], attributes['os.type']], [hostname(), 'linux']);
  assert.ok(['amd64', 'arm64'].includes(String(attributes['host.arch'])));
  assert.deepEqual(
    [
      attributes['telemetry.distro.name'],
      attributes['telemetry.distro.version'],
      attributes['telemetry.sdk.language'],
    ],
    ['taskwarden', VERSION, 'nodejs'],
  );
  assert.match(String(attributes['telemetry.sdk.version']), /^\d+\.\d+\.\d+$/);
});

test('what is given wins over what is found out; OTEL_SERVICE_NAME wins over all', () => {
  const given = { 'service.name': 'a', 'service.instance.id': 'mine', 'host.name': 'h', team: 't' };
  const attributes = resourceAttributes('b', { ...given, 'telemetry.distro.name': 'x' });
  const { 'service.name': name, 'service.instance.id': id, 'host.name': host, team } = attributes;
  assert.deepEqual([name, id, host, team], ['b', 'mine', 'h', 't']);
  assert.equal(resourceAttributes('', given)['service.name'], 'a');
  assert.equal(attributes['telemetry.distro.name'], 'taskwarden');
});
