import assert from 'node:assert/strict';
import { test } from 'node:test';
import { STEP, serve, storeOf, T0 } from './server.ts';

const SECOND = T0 / 1000;
const { get, post, ask } = await serve({
  queryable: storeOf([
    [{ __name__: 'runs', queue: 'mail', job: 'w' }, () => 1],
    [{ __name__: 'runs', queue: 'Mail "é"', job: 'w' }, () => 1],
    [{ __name__: 'depth', queue: 'mail', state: 'old' }, (tick) => (tick < 5 ? 1 : undefined)],
    [{ __name__: 'depth', queue: 'mail', state: 'new' }, (tick) => (tick > 12 ? 1 : undefined)],
  ]),
});
const data = async (endpoint: string, query: string) => (await ask(`/api/v1/${endpoint}?${query}`)).json.data;

test('label names: of all series, of those that match one of the selectors, of a time', async () => {
  assert.deepEqual(await data('labels', ''), ['__name__', 'job', 'queue', 'state']);
  assert.deepEqual(await data('labels', 'match[]=runs'), ['__name__', 'job', 'queue']);
  assert.deepEqual(await data('labels', 'match[]=runs&match[]={state=~".%2B"}'), [
    '__name__',
    'job',
    'queue',
    'state',
  ]);
  assert.deepEqual(await data('labels', 'start=1&end=2'), []);
  assert.deepEqual((await post('labels', { 'match[]': 'depth' })).json.data, ['__name__', 'queue', 'state']);
});

test('label values', async () => {
  assert.deepEqual(await data('label/__name__/values', ''), ['depth', 'runs']);
  assert.deepEqual(await data('label/queue/values', ''), ['Mail "é"', 'mail']);
  assert.deepEqual(await data('label/state/values', `start=${SECOND + 70}&end=${SECOND + 90}`), ['new']);
  assert.deepEqual(await data('label/state/values', `end=${SECOND}`), ['old']);
  assert.deepEqual(await data('label/queue/values', 'match[]=depth'), ['mail']);
  assert.deepEqual(await data('label/constructor/values', ''), []);
});

test('the window has both its ends', async () => {
  const at = (ms: number): string => `start=${(T0 + ms) / 1000}&end=${(T0 + ms) / 1000}`;
  assert.deepEqual(await data('label/state/values', at(4 * STEP)), ['old']);
  assert.deepEqual(await data('label/state/values', at(4 * STEP + 1)), []);
});

test('series, each once and in order', async () => {
  assert.deepEqual(await data('series', 'match[]=runs&match[]={queue="mail"}'), [
    { __name__: 'depth', queue: 'mail', state: 'new' },
    { __name__: 'depth', queue: 'mail', state: 'old' },
    { __name__: 'runs', job: 'w', queue: 'Mail "é"' },
    { __name__: 'runs', job: 'w', queue: 'mail' },
  ]);
  assert.deepEqual((await post('series', { 'match[]': 'depth{state="old"}' })).json.data.length, 1);
});

test('limits', async () => {
  for (const [endpoint, query] of [
    ['labels', ''],
    ['label/__name__/values', ''],
    ['series', 'match[]=runs&match[]=depth&'],
  ]) {
    const { json } = await ask(`/api/v1/${endpoint}?${query}limit=1`);
    assert.equal(json.data.length, 1, endpoint);
    assert.deepEqual(json.warnings, ['results truncated due to limit']);
    assert.ok((await data(endpoint!, `${query}limit=0`)).length > 1, endpoint);
  }
});

test('mistakes', async () => {
  for (const [path, error] of [
    ['series', 'invalid parameter "match[]": no match[] parameter provided'],
    [
      'series?match[]={',
      'invalid parameter "match[]": 1:2: parse error: unexpected end of input inside braces',
    ],
    ['series?match[]=1', 'invalid parameter "match[]": expected type instant vector selector, got "1"'],
    [
      'series?match[]=a offset 1m',
      'invalid parameter "match[]": expected type instant vector selector, got "a offset 1m"',
    ],
    [
      'labels?match[]={}',
      'invalid parameter "match[]": 1:1: parse error: vector selector must contain at least one non-empty matcher',
    ],
    ['labels?start=x', 'invalid parameter "start": cannot parse "x" to a valid timestamp'],
    ['labels?start=2&end=1', 'invalid parameter "end": end timestamp must not be before start timestamp'],
    ['label/a-b/values', 'invalid parameter "name": invalid label name: "a-b"'],
    ['label/%5f/values', 'invalid parameter "name": invalid label name: "%5f"'],
  ]) {
    const { status, json } = await ask(`/api/v1/${path!.replaceAll(' ', '%20')}`);
    assert.deepEqual([status, json], [400, { status: 'error', errorType: 'bad_data', error }], path);
  }
});

test('a label value is asked for by GET alone', async () => {
  assert.equal((await post('label/queue/values', {})).status, 405);
  assert.equal((await get('label/queue/values')).status, 200);
});
