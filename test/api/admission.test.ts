import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serve } from './server.ts';

const open = await serve({ hosts: ['worker-7'] });
const guarded = await serve({ token: 's3cret' });
const QUERY = '/api/v1/query?query=1';
const status = async (headers: Record<string, string>, path = QUERY) =>
  (await open.ask(path, { headers })).status;

test('a foreign Host is refused: a page that had its name resolved to this machine', async () => {
  for (const host of [
    'evil.example',
    'evil.example:9464',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'worker-77',
    'local',
  ])
    for (const path of [QUERY, '/metrics', '/healthz', '/api/v1/rules'])
      assert.equal(await status({ Host: host }, path), 403, `${host} ${path}`);
  for (const host of [
    'localhost',
    'LocalHost:1',
    'localhost.',
    '127.0.0.1:9464',
    '127.1.2.3',
    '[::1]:9464',
    '10.0.0.8',
    'worker-7:80',
  ])
    assert.equal(await status({ Host: host }), 200, host);
  const { json } = await open.ask(QUERY, { headers: { Host: 'evil.example' } });
  assert.equal(json.error, 'host "evil.example" is not allowed: the option http_hosts may name it');
});

test('requests that pages of other sites make are refused', async () => {
  const own = { Host: 'localhost:9464' };
  for (const headers of [
    { Origin: 'https://evil.example' },
    { Origin: 'null' },
    { Origin: 'https://localhost:9464' },
    { Origin: 'http://localhost:3000' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'Sec-Fetch-Site': 'same-site' },
  ])
    assert.equal(
      await status({ ...own, ...headers } as Record<string, string>),
      403,
      JSON.stringify(headers),
    );
  assert.equal(await status({ ...own, Origin: 'http://localhost:9464' }), 200);
  assert.equal(await status({ ...own, 'Sec-Fetch-Site': 'same-origin' }), 200);
  assert.equal(await status({ ...own, 'Sec-Fetch-Site': 'none' }), 200);
});

test('no answer lets another site read it', async () => {
  for (const path of [QUERY, '/nothing', '/metrics', '/healthz']) {
    const { headers } = await open.ask(path, { headers: { Origin: `http://127.0.0.1:${open.port}` } });
    assert.equal(headers['access-control-allow-origin'], undefined);
    assert.equal(headers['cache-control'], 'no-store');
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
    assert.match(String(headers['content-security-policy']), /default-src 'none'/);
  }
});

test('where there is a token, it is needed for all but the sign of life', async () => {
  const ask = async (path: string, Authorization?: string) =>
    (await guarded.ask(path, Authorization === undefined ? {} : { headers: { Authorization } })).status;
  for (const path of [QUERY, '/metrics', '/api/v1/status/buildinfo', '/nothing']) {
    assert.equal(await ask(path), 401, path);
    for (const wrong of [
      'Bearer s3cre',
      'Bearer s3crets',
      's3cret',
      'Basic s3cret',
      'Bearer',
      'Bearer  ',
      'Bearer s3cret x',
    ])
      assert.equal(await ask(path, wrong), 401, wrong);
  }
  assert.equal(await ask(QUERY, 'Bearer s3cret'), 200);
  assert.equal(await ask(QUERY, 'bearer   s3cret'), 200);
  assert.equal(await ask('/healthz'), 200);
  const { headers, body } = await guarded.ask(QUERY);
  assert.equal(headers['www-authenticate'], 'Bearer');
  assert.ok(!body.includes('s3cret'));
});

test('without a token none is asked for, and one that is sent is no mistake', async () => {
  assert.equal(await status({ Authorization: 'Bearer any' }), 200);
});
