import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from '../../src/config/config.ts';
import { describe } from '../../src/config/describe.ts';
import { TaskwardenError } from '../../src/model/errors.ts';

const folder = mkdtempSync(join(tmpdir(), 'taskwarden-endpoints-'));
after(() => rmSync(folder, { recursive: true }));
mkdirSync(join(folder, 'conf'));
for (const file of ['ca.pem', 'cert.pem', 'key.pem', 'token', 'password'])
  writeFileSync(join(folder, 'conf', file), 'x');

function fromYaml(yaml: string) {
  writeFileSync(join(folder, 'conf/tw.yaml'), yaml);
  return loadConfig({ env: { TASKWARDEN_CONFIG: 'conf/tw.yaml' }, cwd: folder });
}

const fromEnv = (env: Record<string, string>) => loadConfig({ env, cwd: folder });

function failure(act: () => unknown): TaskwardenError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof TaskwardenError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: 'no error was thrown' });
}

const UNSET = {
  basicAuth: { username: '', password: '', passwordFile: '' },
  authorization: { type: 'Bearer', credentials: '', credentialsFile: '' },
  tlsConfig: { caFile: '', certFile: '', keyFile: '', serverName: '', insecureSkipVerify: false },
  headers: {},
  timeout: 10_000,
};

test('a variable names servers by their URLs, which may hold user and password', () => {
  const { alertmanagers, webhooks } = fromEnv({
    TASKWARDEN_ALERTMANAGERS: 'http://a:9093, https://us%40er:p%2Fw@b/prefix',
    TASKWARDEN_WEBHOOKS: 'http://c/hook?team=1',
  });
  assert.deepEqual(alertmanagers, [
    { ...UNSET, url: 'http://a:9093/' },
    {
      ...UNSET,
      url: 'https://b/prefix',
      basicAuth: { username: 'us@er', password: 'p/w', passwordFile: '' },
    },
  ]);
  assert.deepEqual(webhooks, [{ ...UNSET, url: 'http://c/hook?team=1' }]);
});

test('the file says how each server is spoken to; its paths count from its folder', () => {
  const { alertmanagers } = fromYaml(`
alertmanagers:
  - http://a:9093
  - url: https://b:9093
    basic_auth: { username: mail, password_file: password }
    tls_config: { ca_file: ca.pem, cert_file: cert.pem, key_file: key.pem, server_name: am, insecure_skip_verify: true }
    headers: { X-Scope-OrgID: mail }
    timeout: 2s
  - url: https://c
    authorization: { type: Token, credentials_file: ${join(folder, 'conf/token')} }
`);
  const at = (name: string) => join(folder, 'conf', name);
  assert.deepEqual(alertmanagers, [
    { ...UNSET, url: 'http://a:9093/' },
    {
      url: 'https://b:9093/',
      basicAuth: { username: 'mail', password: '', passwordFile: at('password') },
      authorization: UNSET.authorization,
      tlsConfig: {
        caFile: at('ca.pem'),
        certFile: at('cert.pem'),
        keyFile: at('key.pem'),
        serverName: 'am',
        insecureSkipVerify: true,
      },
      headers: { 'X-Scope-OrgID': 'mail' },
      timeout: 2000,
    },
    {
      ...UNSET,
      url: 'https://c/',
      authorization: { type: 'Token', credentials: '', credentialsFile: at('token') },
    },
  ]);
});

test('the example of the documentation can be used', () => {
  const document = readFileSync(resolve(import.meta.dirname, '../../docs/alerts.md'), 'utf8');
  const example = /```yaml\n(alertmanagers:[\s\S]*?)```/.exec(document)?.[1] ?? '';
  for (const name of ['client.pem', 'client.key', 'alertmanager'])
    writeFileSync(join(folder, 'conf', name), 'x');
  const { alertmanagers, externalLabels, externalUrl } = fromYaml(example.replaceAll('/run/secrets/', ''));
  assert.deepEqual(
    alertmanagers.map(({ url, timeout }) => [url, timeout]),
    [
      ['http://alertmanager-0:9093/', 10_000],
      ['https://alertmanager-1.example.com/prefix', 10_000],
      ['https://mimir.example.com/alertmanager', 10_000],
    ],
  );
  assert.deepEqual([externalLabels, externalUrl], [{ cluster: 'eu-1' }, 'https://prometheus.example.com/']);
});

test('what is not allowed names the option, the part, the value and what is allowed, and no secret', () => {
  const inFile: [yaml: string, message: RegExp][] = [
    [
      '5',
      /^conf\/tw\.yaml:1:16: alertmanagers: the value is not allowed; allowed: at most 20 URLs; in the file/,
    ],
    ['[5]', /alertmanagers\[0\]: the value is not allowed; allowed: a URL or a mapping with url, basic_auth/],
    ['[a]', /alertmanagers\[0\]\.url: "a" is not allowed; allowed: a URL that begins with http/],
    ['[{ url: "ftp://u:hush@b" }]', /\[0\]\.url: "ftp:\/\/\*{4}@b" is not allowed/],
    ['[{ timeout: 1s }]', /\[0\]\.url: nothing is not allowed/],
    [
      '[{ url: http://a, timeout: 1 }]',
      /\[0\]\.timeout: 1 is not allowed; allowed: a duration from 100ms to 5m/,
    ],
    [
      '[{ url: http://a, tls: {} }]',
      /\[0\]\.tls: this key is not allowed; allowed: url, basic_auth\.username/,
    ],
    ['[{ url: http://a, tls_config: { cafile: x } }]', /did you mean "tls_config\.ca_file"/],
    ['[{ url: http://a, tls_config: x }]', /\[0\]\.tls_config: the value .*: a mapping with ca_file, /],
    ['[{ url: http://a, __proto__: { url: x } }]', /\[0\]\.__proto__: this key is not allowed/],
    ['[{ url: http://a, tls_config: { cert_file: cert.pem } }]', /only one of cert_file and key_file is not/],
    [
      '[{ url: http://a, headers: { "a b": hush } }]',
      /\[0\]\.headers: the value is not allowed; .*HTTP headers/,
    ],
    ['[{ url: http://a, headers: { a: "hush\\r\\n" } }]', /\[0\]\.headers: the value is not allowed/],
    ['[{ url: http://a, headers: { Content-Length: "1" } }]', /\[0\]\.headers: the value is not allowed/],
    [
      '[{ url: http://a, authorization: { credentials: "hu sh" } }]',
      /\.credentials: the value is not allowed/,
    ],
    ['[{ url: http://a, basic_auth: { password: hush } }]', /basic_auth without username/],
    [
      '[{ url: "http://u:hush@a", authorization: { credentials: hush } }]',
      /\[0\]: user and password in the URL together with authorization is not allowed; allowed: one of them$/,
    ],
    [
      '[{ url: http://a, basic_auth: { username: a, password: hush }, headers: { authorization: hush } }]',
      /basic_auth together with a header Authorization/,
    ],
    [
      '[{ url: http://a, basic_auth: { username: a, password: hush, password_file: password } }]',
      /basic_auth\.password together with password_file/,
    ],
    [
      '[{ url: http://a, authorization: { credentials: hush, credentials_file: token } }]',
      /credentials together with credentials_file/,
    ],
    [`[${'http://a,'.repeat(21)}]`, /at most 20 URLs/],
  ];
  for (const [yaml, message] of inFile) {
    const error = failure(() => fromYaml(`alertmanagers: ${yaml}\n`));
    assert.equal(error.code, 'TASKWARDEN_CONFIG', yaml);
    assert.match(error.message, message);
    assert.doesNotMatch(error.message, /hush/);
  }
  const variables: [Record<string, string>, RegExp][] = [
    [{ TASKWARDEN_WEBHOOKS: 'http://a,b:9' }, /^TASKWARDEN_WEBHOOKS: "b:9" is not allowed; allowed: a URL/],
    [
      { TASKWARDEN_EXTERNAL_LABELS: 'env' },
      /^TASKWARDEN_EXTERNAL_LABELS: "env" is not allowed; allowed: names/,
    ],
    [{ TASKWARDEN_EXTERNAL_LABELS: 'a.b=c' }, /^TASKWARDEN_EXTERNAL_LABELS: "a.b=c" is not/],
    [{ TASKWARDEN_EXTERNAL_LABELS: '__a=c' }, /is not allowed/],
    [
      { TASKWARDEN_EXTERNAL_URL: 'prometheus' },
      /^TASKWARDEN_EXTERNAL_URL: "prometheus" is not allowed; allowed: a URL/,
    ],
  ];
  for (const [env, message] of variables) assert.match(failure(() => fromEnv(env)).message, message);
});

test('a file that is not there is the error of the one who named it', () => {
  const error = failure(() => fromYaml('webhooks: [{ url: http://a, tls_config: { ca_file: gone.pem } }]\n'));
  assert.equal(error.code, 'TASKWARDEN_FILE');
  assert.match(
    error.message,
    /^webhooks\[0\]\.tls_config\.ca_file: the file cannot be read: ENOENT.*conf\/gone\.pem/,
  );
});

test('what is shown has no secret', () => {
  const lines = describe(
    fromYaml(`
alertmanagers:
  - http://user:hush@a:9093
  - { url: https://b/x?api_key=hush, authorization: { credentials: hush }, tls_config: { ca_file: ca.pem } }
webhooks: [http://c, https://d/hush, https://e/?hush]
external_labels: { env: prod, cluster: eu }
`),
  );
  const shown = Object.fromEntries(lines.map(({ option, value }) => [option, value]));
  assert.equal(
    shown.alertmanagers,
    'http://a:9093/ (basic_auth), https://b/x?api_key=**** (authorization, tls_config)',
  );
  assert.equal(shown.webhooks, 'http://c, https://d/****, https://e/****');
  assert.equal(shown.external_labels, 'env=prod, cluster=eu');
  assert.doesNotMatch(JSON.stringify(lines), /hush/);
});
