import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AlertmanagerOutbox } from '../../src/alerts/alertmanager.ts';
import type { Request } from '../../src/alerts/delivery.ts';
import { type OutgoingAlert, outgoing } from '../../src/alerts/outgoing.ts';
import { WebhookOutbox } from '../../src/alerts/webhook.ts';
import { transition } from './transitions.ts';

/** A firing alert with this fingerprint and value. */
function alert(fingerprint: string, value = ''): OutgoingAlert {
  const labels = { alertname: 'A' };
  const options = { labels, externalUrl: '', fingerprint: () => fingerprint };
  return outgoing(transition({ annotations: { value } }), options);
}
const noneDropped = (count: number): void => assert.equal(count, 0);
const many = (count: number, from = 0) => Array.from({ length: count }, (_, i) => alert(`${from + i}`));
const names = (request: Request | undefined) => request?.alerts.map(({ fingerprint }) => fingerprint).join();
const values = (request: Request | undefined) =>
  request?.alerts.map(({ annotations }) => annotations.value).join();

test('an Alertmanager is told the last state of each alert', () => {
  const outbox = new AlertmanagerOutbox(() => 0, noneDropped);
  outbox.offer([alert('a', '1'), alert('b', '1')]);
  outbox.offer([alert('a', '2')]);
  assert.equal(outbox.size, 2);
  const request = outbox.take();
  assert.equal(names(request), 'b,a');
  assert.equal(values(request), '1,2');
  assert.equal(outbox.take(), undefined);
});

test('what is given back does not undo what came meanwhile', () => {
  const outbox = new AlertmanagerOutbox(() => 0, noneDropped);
  outbox.offer([alert('a', '1'), alert('b', '1')]);
  const request = outbox.take()!;
  outbox.offer([alert('a', '2'), alert('c', '1')]);
  outbox.giveBack(request);
  const next = outbox.take();
  assert.equal(names(next), 'a,b,c');
  assert.equal(values(next), '2,1,1');
});

test('requests to an Alertmanager have 256 alerts at most; the oldest makes room and is counted', () => {
  let dropped = 0;
  const outbox = new AlertmanagerOutbox(
    () => 0,
    (count) => {
      dropped += count;
    },
    300,
  );
  outbox.offer(many(310));
  assert.deepEqual([outbox.size, dropped], [300, 10]);
  const first = outbox.take();
  assert.equal(first?.alerts.length, 256);
  assert.equal(first?.alerts[0]?.fingerprint, '10');
  outbox.offer(many(300, 1000));
  outbox.giveBack(first!);
  assert.deepEqual([outbox.size, dropped], [300, 10 + 44 + 256]);
});

test('a webhook gets one message for each evaluation, in order', () => {
  const outbox = new WebhookOutbox('', noneDropped);
  outbox.offer([alert('a', '1'), alert('b', '1')]);
  outbox.offer([alert('a', '2')]);
  assert.equal(outbox.size, 3);
  const first = outbox.take()!;
  assert.equal(names(first), 'a,b');
  outbox.giveBack(first);
  assert.deepEqual([names(outbox.take()), values(outbox.take()), outbox.take()], ['a,b', '2', undefined]);
});

test('messages to a webhook have 256 alerts at most; the oldest make room and are counted', () => {
  let dropped = 0;
  const outbox = new WebhookOutbox(
    '',
    (count) => {
      dropped += count;
    },
    300,
  );
  outbox.offer(many(310));
  assert.deepEqual([outbox.size, dropped], [54, 256]);
  const first = outbox.take()!;
  outbox.offer(many(256));
  outbox.giveBack(first);
  assert.deepEqual([outbox.size, dropped], [256, 256 + 54]);
});
