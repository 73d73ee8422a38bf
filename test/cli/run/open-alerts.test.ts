import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Exporting } from '../../../src/agent/exporting.ts';
import { deathAlerts } from '../../../src/cli/run/alerts.ts';
import { OpenAlerts } from '../../../src/cli/run/open-alerts.ts';
import { loadConfig } from '../../../src/config/config.ts';
import { resourceAttributes } from '../../../src/otlp/resource.ts';
import { Registry } from '../../../src/store/registry.ts';
import { type OtlpSink, startSink } from '../../helpers/otlp-sink.ts';

let sink: OtlpSink;
before(async () => {
  sink = await startSink();
  process.env.OTEL_EXPORTER_OTLP_ENDPOINT = sink.url;
});
after(() => sink.down());

/** An alert about that job. */
function alertOf(jobId: string) {
  const poison = {
    task: { framework: 'test', queue: 'images', task: 'resize' },
    jobId,
    deaths: 3,
    at: Date.now(),
  };
  return deathAlerts([], [poison], { job: 'mailer' }, Date.now());
}

function exporting() {
  const config = loadConfig({ env: {} });
  const registry = new Registry(Date.now(), { maxSeriesPerMetric: 10 });
  return new Exporting({ config, registry, resource: resourceAttributes('mailer', {}), alerts: () => [] });
}

const told = (jobId: string) =>
  sink.logs
    .map(({ attributes }) => attributes)
    .filter((one) => String(one['taskwarden.alert.runs.messaging.message.id']) === jobId);
const states = (jobId: string) => told(jobId).map((one) => one['taskwarden.alert.state']);

test('an alert about a death ends by itself, as the same alert', async () => {
  new OpenAlerts(1).fire(alertOf('7'), exporting());
  await sink.waitFor(() => states('7').length === 2);
  assert.deepEqual(states('7'), ['firing', 'resolved']);
  const [begin, end] = told('7');
  assert.equal(end!['taskwarden.alert.fingerprint'], begin!['taskwarden.alert.fingerprint']);
});

test('alerts end with the supervisor, those that nobody may have heard of yet do not', async () => {
  const open = new OpenAlerts();
  const young = exporting();
  open.fire(alertOf('8'), young);
  await open.endAll();
  await young.flush(5000);
  assert.deepEqual(states('8'), ['firing']);
  await open.endAll(0);
  assert.deepEqual(states('8'), ['firing', 'resolved']);
  await open.endAll(0);
  assert.equal(states('8').length, 2, 'each ends once');
});
