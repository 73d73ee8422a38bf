import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createGuard } from '../../src/agent/guard.ts';
import { openNotifier } from '../../src/agent/notifying.ts';
import type { Outcome } from '../../src/alerts/delivery.ts';
import type { SinkKind } from '../../src/alerts/notifier.ts';
import { loadConfig } from '../../src/config/config.ts';
import { TaskwardenError } from '../../src/model/errors.ts';
import { transition } from '../alerts/transitions.ts';
import { folderWith } from '../fixtures/faults/program.ts';
import { type AlertServer, startAlertServer } from '../helpers/alert-server.ts';
import { makeCertificates, opensslMissing } from '../helpers/certificates.ts';
import { freePort } from '../helpers/free-port.ts';
import { metricValue, newRegistry } from './parts.ts';

const noOpenssl = opensslMissing();
const folder = folderWith({ token: 'first\n', password: 'p/w\n' });
const [plain, other, closed] = [await startAlertServer(), await startAlertServer(), await freePort()];
const certificates = noOpenssl === false ? makeCertificates() : undefined;
const secure = certificates === undefined ? undefined : await startAlertServer(certificates);

after(async () => {
  folder.remove();
  certificates?.remove();
  await Promise.all([plain, other, secure].map((server) => server?.stop()));
});

async function setup(yaml: string, env: Record<string, string> = {}) {
  writeFileSync(join(folder.path, 'taskwarden.yaml'), yaml);
  for (const server of [plain, other, secure]) if (server !== undefined) reset(server);
  const registry = newRegistry();
  const told: string[] = [];
  const notifier = await openNotifier({
    config: loadConfig({ env, cwd: folder.path }),
    registry,
    resource: { 'service.name': 'mailer', 'service.namespace': 'shop', 'service.instance.id': 'a-1' },
    alerting: { alerts: () => [] },
    guard: createGuard(registry, assert.fail),
    warn: (text) => told.push(text),
  });
  const count = (sink: SinkKind, outcome: Outcome) =>
    metricValue(registry, 'taskwarden.notifications', { sink, outcome });
  const send = async (limitMs = 10_000): Promise<void> => {
    notifier.transition(transition());
    await notifier.flush(limitMs);
  };
  return { told, count, send };
}

function reset(server: AlertServer): void {
  server.received.length = 0;
  server.reply = { status: 200 };
}

test('Alertmanagers and webhooks of the environment get an alert, with the labels of the process', async () => {
  const { send, count, told } = await setup('', {
    TASKWARDEN_ALERTMANAGERS: `${plain.url}/prefix/,${other.url}`,
    TASKWARDEN_WEBHOOKS: `${other.url}/hook?key=1`,
    TASKWARDEN_EXTERNAL_LABELS: 'env=prod,job=not this',
  });
  for (const sink of ['alertmanager', 'webhook'] as const)
    for (const outcome of ['sent', 'retried', 'rejected', 'dropped'] as const)
      assert.equal(count(sink, outcome), 0, 'counters begin at 0');
  await send();
  assert.deepEqual(
    plain.received.map(({ path }) => path),
    ['/prefix/api/v2/alerts'],
  );
  assert.deepEqual(other.received.map(({ path }) => path).sort(), ['/api/v2/alerts', '/hook?key=1']);
  const [request] = plain.received;
  assert.equal(request?.headers['content-type'], 'application/json');
  assert.match(request?.headers['user-agent'] ?? '', /^taskwarden\//);
  assert.equal(request?.headers.authorization, undefined);
  const [{ labels }] = JSON.parse(request?.body ?? '');
  assert.deepEqual(
    [labels.job, labels.instance, labels.env, labels.alertname],
    ['shop/mailer', 'a-1', 'prod', 'TaskBlocksEventLoop'],
  );
  assert.deepEqual([count('alertmanager', 'sent'), count('webhook', 'sent'), told], [2, 1, []]);
});

test('users, tokens and headers go with every request; files are read anew', async () => {
  const { send } = await setup(`
alertmanagers:
  - { url: "${plain.url}/1", basic_auth: { username: mail, password_file: password } }
  - { url: "${plain.url}/2", authorization: { credentials_file: token } }
  - { url: "${plain.url}/3", authorization: { type: Token, credentials: abc }, headers: { X-Scope-OrgID: shop } }
  - { url: "${plain.url.replace('//', '//us%40er:pw@')}/4" }
`);
  const authorizations = () =>
    Object.fromEntries(plain.received.map(({ path, headers }) => [path[1], headers.authorization]));
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  await send();
  const expected = { 1: basic('mail:p/w'), 2: 'Bearer first', 3: 'Token abc', 4: basic('us@er:pw') };
  assert.deepEqual(authorizations(), expected);
  assert.equal(plain.received.find(({ path }) => path[1] === '3')?.headers['x-scope-orgid'], 'shop');
  writeFileSync(join(folder.path, 'token'), 'second\n');
  await send();
  assert.deepEqual(authorizations(), { ...expected, 2: 'Bearer second' });
});

test('a server that is down or slow holds up no other, and is told of once, without its password', async () => {
  const { send, count, told } = await setup(`
alertmanagers:
  - http://user:hush@127.0.0.1:${closed}
  - { url: "${plain.url}", timeout: 100ms }
  - ${other.url}
webhooks: [ http://127.0.0.1:${closed}/hush ]
`);
  plain.reply = 'hang';
  await send();
  await send();
  assert.equal(other.received.length, 2);
  assert.equal(count('alertmanager', 'sent'), 2);
  // Two attempts of each flush, and what a slow machine adds.
  assert.ok(count('alertmanager', 'retried')! >= 8);
  assert.ok(count('webhook', 'retried')! >= 4);
  assert.deepEqual(told.map((text) => text.replaceAll(/:\d+/g, ':0')).sort(), [
    'alerts do not reach the alertmanager http://127.0.0.1:0/: connect ECONNREFUSED 127.0.0.1:0; jobs are not affected',
    'alerts do not reach the alertmanager http://127.0.0.1:0/: no answer within 100 ms; jobs are not affected',
    'alerts do not reach the webhook http://127.0.0.1:0/****: connect ECONNREFUSED 127.0.0.1:0; jobs are not affected',
  ]);
});

test('what a server refuses is not sent again; what it fails at is', async () => {
  const { send, count, told } = await setup(`alertmanagers: [ ${plain.url} ]\nwebhooks: [ ${other.url} ]\n`);
  plain.reply = { status: 400, text: '"invalid label set"' };
  other.reply = { status: 503 };
  await send();
  assert.deepEqual([plain.received.length, other.received.length], [1, 2]);
  assert.deepEqual(
    [count('alertmanager', 'rejected'), count('webhook', 'retried'), count('webhook', 'rejected')],
    [1, 2, 0],
  );
  assert.match(told.join(), /HTTP 400 Bad Request: "invalid label set"/);
  plain.reply = { status: 200 };
  other.reply = 'cut';
  await send();
  assert.deepEqual([plain.received.length, count('alertmanager', 'sent')], [2, 1]);
  other.reply = { status: 200 };
  await send();
  assert.equal(count('webhook', 'sent'), 3, 'all that waited');
});

test('TLS: an authority of one’s own, a client certificate, or no check at all', {
  skip: noOpenssl,
}, async () => {
  const { ca, client } = certificates!;
  const tls = (more: string) =>
    `alertmanagers: [{ url: "${secure!.url}", tls_config: { cert_file: "${client.cert}", key_file: "${client.key}"${more} } }]\n`;
  const attempt = async (yaml: string): Promise<string> => {
    const { send, count, told } = await setup(yaml);
    await send();
    assert.equal(count('alertmanager', 'sent'), secure!.received.length);
    return told.join();
  };
  assert.equal(await attempt(tls(`, ca_file: "${ca}"`)), '');
  assert.equal(secure!.received.length, 1);
  assert.equal(await attempt(tls(`, ca_file: "${ca}", server_name: localhost`)), '');
  assert.equal(secure!.received.length, 1);
  assert.equal(await attempt(tls(', insecure_skip_verify: true')), '');
  assert.equal(secure!.received.length, 1);

  assert.match(await attempt(tls('')), /self-signed certificate|unable to (?:verify|get)/);
  assert.match(await attempt(tls(`, ca_file: "${ca}", server_name: elsewhere`)), /elsewhere.*altnames/i);
  const without = `alertmanagers: [{ url: "${secure!.url}", tls_config: { ca_file: "${ca}" } }]\n`;
  assert.match(await attempt(without), /certificate required|ECONNRESET|socket hang up|EPIPE/i);
  assert.equal(secure!.received.length, 0);
  const port = new URL(secure!.url).port;
  assert.match(
    await attempt(`alertmanagers: [ "http://127.0.0.1:${port}" ]\n`),
    /hang up|ECONNRESET|HTTP 400/i,
  );
});

test('a certificate that is renewed counts from the next request', { skip: noOpenssl }, async () => {
  const { ca, client } = certificates!;
  const file = join(folder.path, 'ca.pem');
  writeFileSync(file, readFileSync(client.cert));
  const { send, count } = await setup(
    `alertmanagers: [{ url: "${secure!.url}", tls_config: { ca_file: ca.pem, cert_file: "${client.cert}", key_file: "${client.key}" } }]\n`,
  );
  await send();
  assert.equal(count('alertmanager', 'sent'), 0);
  writeFileSync(file, readFileSync(ca));
  await send();
  assert.equal(count('alertmanager', 'sent'), 1);
});

test('a file that is gone later is a failed attempt', async () => {
  const { send, count, told } = await setup(
    `alertmanagers: [{ url: "${plain.url}", authorization: { credentials_file: token } }]\n`,
  );
  folder.remove();
  await send();
  assert.deepEqual([count('alertmanager', 'retried'), plain.received.length], [2, 0]);
  assert.match(told.join(), /ENOENT.*token/);
  assert.throws(() => loadConfig({ env: { TASKWARDEN_CONFIG: 'x' }, cwd: folder.path }), TaskwardenError);
});
