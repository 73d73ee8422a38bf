import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { createGuard } from '../../src/agent/guard.ts';
import { openNotifier } from '../../src/agent/notifying.ts';
import { AlertmanagerOutbox, alertsUrl } from '../../src/alerts/alertmanager.ts';
import { Delivery, type Outcome } from '../../src/alerts/delivery.ts';
import { loadConfig } from '../../src/config/config.ts';
import { fingerprint } from '../../src/rules/fingerprint.ts';
import { metricValue, newRegistry } from '../agent/parts.ts';
import { transition } from '../alerts/transitions.ts';
import { endPrograms, folderWith, startProgram } from '../fixtures/faults/program.ts';
import { type AlertServer, startAlertServer } from '../helpers/alert-server.ts';
import {
  type Alertmanager,
  alertmanagerMissing,
  type KnownAlert,
  startAlertmanager,
} from '../helpers/alertmanager.ts';
import { freePort } from '../helpers/free-port.ts';

const skip = alertmanagerMissing();
const folder = folderWith({
  // As the shipped rule, but over as soon as the loop is free.
  'own.yaml': `groups:
  - name: own
    rules:
      - alert: Blocked
        expr: max by (task_name) (task_event_loop_blocked_seconds{task_suspicion="exclusive"}) > 1
        labels: { severity: critical }
`,
});
let peers: [Alertmanager, Alertmanager];
let webhook: AlertServer;

before(async () => {
  if (skip !== false) return;
  peers = await Promise.all([startAlertmanager(), startAlertmanager('/am')]);
  webhook = await startAlertServer();
});
after(async () => {
  endPrograms();
  if (skip === false) await Promise.all([...peers, webhook].map((server) => server.stop()));
  folder.remove();
});

const named = (name: string) => (alerts: readonly KnownAlert[]) =>
  alerts.some(({ labels }) => labels.alertname === name);
const without = (name: string) => (alerts: readonly KnownAlert[]) => !named(name)(alerts);

test('an alert fires and ends in every Alertmanager, although one peer is down', { skip }, async () => {
  const registry = newRegistry();
  const down = `http://127.0.0.1:${await freePort()}`;
  const urls = [down, peers[0].url, peers[1].url];
  const notifier = await openNotifier({
    config: loadConfig({
      env: { TASKWARDEN_ALERTMANAGERS: urls.join(), TASKWARDEN_EXTERNAL_URL: 'http://prometheus:9090' },
      cwd: folder.path,
    }),
    registry,
    resource: { 'service.name': 'mailer', 'service.instance.id': 'a-1' },
    alerting: { alerts: () => [] },
    guard: createGuard(registry, assert.fail),
    warn: () => {},
  });
  const now = Date.now();
  // Such a label name is refused by an Alertmanager before 0.27.
  const labels = { alertname: 'Interop', severity: 'critical', 'task.name': 'render' };
  const alert = { labels, fingerprint: 'x', activeAt: now - 2000, firedAt: now - 1000, at: now - 1000 };
  notifier.transition(transition(alert));
  await notifier.flush(10_000);
  for (const peer of peers) {
    const known = (await peer.alerts()).find(({ labels: own }) => own.alertname === 'Interop');
    const expected = {
      alertname: 'Interop',
      severity: 'critical',
      task_name: 'render',
      job: 'mailer',
      instance: 'a-1',
    };
    assert.deepEqual(known?.labels, expected);
    assert.equal(known.fingerprint, fingerprint(expected));
    assert.equal(known.annotations.summary, 'render blocks');
    assert.equal(Date.parse(known.startsAt), now - 1000);
    const left = Date.parse(known.endsAt) - Date.now();
    assert.ok(left > 3 * 60_000 && left <= 4 * 60_000, `${left}`);
    assert.equal(known.generatorURL, 'http://prometheus:9090/graph?g0.expr=x%20%3E%201&g0.tab=1');
  }
  notifier.transition(transition({ ...alert, state: 'resolved', previousState: 'firing', resolvedAt: now }));
  await notifier.flush(10_000);
  for (const peer of peers) assert.ok(without('Interop')(await peer.alerts()));
  const outcome = (name: Outcome) =>
    metricValue(registry, 'taskwarden.notifications', { sink: 'alertmanager', outcome: name });
  assert.deepEqual([outcome('sent'), outcome('rejected'), outcome('dropped')], [4, 0, 0]);
  assert.ok(outcome('retried')! >= 4, 'the peer that is down');
});

test('a batch of which a part is refused is stored in part, and not sent again', { skip }, async () => {
  const outcomes: Partial<Record<Outcome, number>> = {};
  let posts = 0;
  const outbox = new AlertmanagerOutbox(Date.now, assert.fail as () => void);
  const delivery = new Delivery({
    outbox,
    async post(body) {
      posts++;
      const headers = { 'Content-Type': 'application/json' };
      const response = await fetch(alertsUrl(peers[0].url), { method: 'POST', headers, body });
      const { status, statusText } = response;
      return { status, statusText, body: Buffer.from(await response.text()), retryAfterMs: undefined };
    },
    firstRetryMs: 1,
    maxRetryMs: 1,
    now: () => performance.now(),
    onOutcome: (outcome, count) => {
      outcomes[outcome] = count;
    },
    onFailure: ({ message }) => assert.match(message, /^HTTP 400 Bad Request: .*invalid/),
  });
  const startsAt = Date.now() - 1000;
  const rest = {
    annotations: {},
    startsAt,
    resolvedAt: undefined,
    intervalMs: 5000,
    generatorUrl: undefined,
  };
  outbox.offer([
    { ...rest, fingerprint: 'a', labels: { alertname: 'Valid' } },
    { ...rest, fingerprint: 'b', labels: { alertname: 'Invalid', '': 'no name' } },
  ]);
  await delivery.flush(10_000);
  assert.deepEqual([posts, outcomes], [1, { rejected: 2 }]);
  const known = await peers[0].alerts();
  assert.ok(named('Valid')(known) && without('Invalid')(known));
});

test('an alert about a blocked loop is in Alertmanager while it is blocked, and ends there', {
  skip,
}, async () => {
  const file = join(folder.path, 'told');
  const program = startProgram('blocker.ts', {
    args: [file, 'spin', 'stay'],
    env: {
      OTEL_SERVICE_NAME: 'blocked',
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:9',
      TASKWARDEN_ALERTMANAGERS: peers.map(({ url }) => url).join(),
      TASKWARDEN_WEBHOOKS: webhook.url,
      TASKWARDEN_SHIPPED_RULES: 'false',
      TASKWARDEN_RULES: join(folder.path, 'own.yaml'),
    },
  });
  const NAME = 'Blocked';
  const [known] = await Promise.all([
    peers[0].until('the alert', named(NAME)),
    peers[1].until('the alert', named(NAME)),
    webhook.until(1),
  ]);
  writeFileSync(file, '');
  await Promise.all([
    peers[0].until('its end', without(NAME)),
    peers[1].until('its end', without(NAME)),
    webhook.until(2),
  ]);
  program.tell('end');
  const { code, lines, stderr } = await program.ended;
  assert.deepEqual([code, stderr], [0, '']);
  assert.equal(lines[0]?.outcome, 'told', 'the alert came while the loop was blocked');
  const alert = known.find(({ labels }) => labels.alertname === NAME);
  assert.equal(alert?.labels.task_name, 'monthly-report');
  assert.equal(alert.labels.job, 'blocked', 'which the rule has aggregated away');
  assert.ok(alert.labels.instance);
  assert.match(
    alert.annotations.taskwarden_runs ?? '',
    /^job job-7 of reports \(monthly-report, attempt 1, running for \d/,
  );

  const messages = webhook.received.map(({ body }) => JSON.parse(body));
  assert.deepEqual(
    messages.map(({ version, status, alerts }) => [version, status, alerts.length]),
    [
      ['4', 'firing', 1],
      ['4', 'resolved', 1],
    ],
  );
  assert.equal(messages[0].alerts[0].fingerprint, alert.fingerprint);
});
