import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { loadConfig } from '../../src/config/config.ts';
import { describe } from '../../src/config/describe.ts';
import { folderWith } from '../fixtures/faults/program.ts';

const folder = folderWith({
  'token.txt': ' t0ken \n',
  'empty.txt': '\n',
  'named.yaml': 'http: 9464\nhttp_token_file: token.txt\n',
  'off.yaml': 'http: off\n',
});
after(() => folder.remove());

const load = (env: Record<string, string>) => loadConfig({ env, cwd: folder.path });
const http = (value: string): string => load({ TASKWARDEN_HTTP: value, TASKWARDEN_HTTP_TOKEN: 'x' }).http;

test('addresses', () => {
  assert.equal(load({}).http, '');
  for (const [text, address] of [
    ['127.0.0.1:9464', '127.0.0.1:9464'],
    ['9464', '127.0.0.1:9464'],
    [':0', '127.0.0.1:0'],
    ['0', '127.0.0.1:0'],
    ['LocalHost:09', 'localhost:9'],
    ['[::1]:80', '[::1]:80'],
    ['0.0.0.0:9464', '0.0.0.0:9464'],
    ['worker-1.jobs.svc:9464', 'worker-1.jobs.svc:9464'],
    ['OFF', ''],
    ['false', ''],
  ])
    assert.equal(http(text!), address, text);
  for (const text of [
    '127.0.0.1',
    'host:',
    '1.2.3:80',
    '256.1.1.1:80',
    'a:65536',
    '::1:80',
    '[::g]:80',
    'http://a:1',
    'a b:1',
    '-a:1',
  ])
    assert.throws(
      () => http(text),
      /^TaskwardenError: TASKWARDEN_HTTP: ".*" is not allowed; allowed: host:port/,
    );
});

test('beyond the loopback interface a token is needed', () => {
  for (const TASKWARDEN_HTTP of ['127.0.0.1:1', '127.8.8.8:1', '[::1]:1', 'localhost:1', ':1'])
    assert.equal(load({ TASKWARDEN_HTTP }).httpToken, '');
  for (const TASKWARDEN_HTTP of ['0.0.0.0:1', '[::]:1', '10.0.0.1:1', 'worker:1', '127.evil.com:1']) {
    assert.throws(
      () => load({ TASKWARDEN_HTTP }),
      /http: ".*" can be reached from other machines and needs http_token/,
    );
    assert.equal(load({ TASKWARDEN_HTTP, TASKWARDEN_HTTP_TOKEN: 'abc' }).httpToken, 'abc');
  }
});

test('the token may stand in a file, which counts from the folder of the configuration', () => {
  const { http, httpToken } = load({ TASKWARDEN_CONFIG: 'named.yaml' });
  assert.deepEqual([http, httpToken], ['127.0.0.1:9464', 't0ken']);
  assert.equal(load({ TASKWARDEN_CONFIG: 'off.yaml' }).http, '');
  assert.throws(
    () => load({ TASKWARDEN_HTTP_TOKEN_FILE: 'empty.txt' }),
    /empty\.txt: http_token_file: the content/,
  );
  assert.throws(() => load({ TASKWARDEN_HTTP_TOKEN_FILE: 'none.txt' }), /none\.txt: the token .* ENOENT/);
  const both = { TASKWARDEN_HTTP_TOKEN_FILE: 'token.txt', TASKWARDEN_HTTP_TOKEN: 'a' };
  assert.throws(() => load(both), /only one may be set/);
});

test('no token is ever shown', () => {
  assert.throws(
    () => load({ TASKWARDEN_HTTP_TOKEN: 'hush hush' }),
    (error) => !String(error).includes('hush'),
  );
  const lines = describe(load({ TASKWARDEN_HTTP_TOKEN: 'hush' }));
  assert.equal(lines.find(({ option }) => option === 'http_token')!.value, '****');
});
