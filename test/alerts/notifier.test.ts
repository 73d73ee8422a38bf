import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Notifier, type SinkKind } from '../../src/alerts/notifier.ts';
import type { ActiveAlert, AlertTransition } from '../../src/model/alert.ts';
import { fingerprint } from '../../src/rules/fingerprint.ts';
import { AT, transition } from './transitions.ts';

const MINUTE = 60_000;

interface Sent {
  readonly sink: SinkKind;
  readonly server: number;
  // biome-ignore lint/suspicious/noExplicitAny: JSON
  readonly alerts: any[];
}

/** A notifier with an evaluation that ends when `flush` is called, and a clock that is set by hand. */
function setup(sinks: SinkKind[]) {
  const sent: Sent[] = [];
  const waiting: (() => void)[] = [];
  const current: ActiveAlert[] = [];
  const clock = { elapsed: 0 };
  const notifier = new Notifier({
    targets: sinks.map((sink, server) => ({
      sink,
      async post(body) {
        const parsed = JSON.parse(body);
        sent.push({ sink, server, alerts: parsed.alerts ?? parsed });
        return { status: 200, statusText: '', body: Buffer.of(), retryAfterMs: undefined };
      },
      onFailure: (error) => assert.fail(error),
    })),
    labels: { job: 'mailer' },
    externalUrl: '',
    fingerprint,
    alerts: () => current,
    later: (run) => waiting.push(run),
    onOutcome: (_sink, outcome) => assert.equal(outcome, 'sent'),
    now: () => AT + clock.elapsed,
    elapsed: () => clock.elapsed,
  });
  return {
    notifier,
    current,
    clock,
    sent: () => sent.splice(0),
    async evaluated() {
      for (const run of waiting.splice(0)) run();
      await notifier.flush(1000);
    },
    async remindAt(elapsed: number) {
      clock.elapsed = elapsed;
      notifier.remind();
      await notifier.flush(1000);
      return sent.splice(0);
    },
  };
}

const named = (alertname: string, changes: Partial<AlertTransition> = {}) =>
  transition({ name: alertname, labels: { alertname }, fingerprint: alertname, ...changes });
const ended = (alertname: string, at = AT) =>
  named(alertname, { state: 'resolved', previousState: 'firing', resolvedAt: at });
const namesOf = (sent: Sent[]) =>
  sent.map(({ alerts }) => alerts.map(({ labels }) => labels.alertname).join());

test('what one evaluation changed goes together to every server; what is only pending goes nowhere', async () => {
  const { notifier, evaluated, sent } = setup(['alertmanager', 'alertmanager', 'webhook']);
  notifier.transition(named('A'));
  notifier.transition(named('B', { state: 'pending' }));
  notifier.transition(named('C', { state: 'resolved', previousState: 'pending' }));
  notifier.transition(ended('D'));
  assert.deepEqual(sent(), []);
  await evaluated();
  const all = sent();
  assert.deepEqual(all.map(({ sink, server }) => `${sink} ${server}`).sort(), [
    'alertmanager 0',
    'alertmanager 1',
    'webhook 2',
  ]);
  assert.deepEqual(namesOf(all), ['A,D', 'A,D', 'A,D']);
  assert.deepEqual(all[0]?.alerts[0].labels, { alertname: 'A', job: 'mailer' });
});

test('a flush sends what has changed already', async () => {
  const { notifier, sent } = setup(['alertmanager']);
  notifier.transition(named('A'));
  await notifier.flush(1000);
  assert.deepEqual(namesOf(sent()), ['A']);
});

test('a firing alert is sent again every minute, with its annotations of now and a new end', async () => {
  const { notifier, evaluated, sent, remindAt, current } = setup(['alertmanager', 'webhook']);
  notifier.transition(named('A'));
  await evaluated();
  sent();
  current.push(named('A', { annotations: { summary: 'worse' }, intervalMs: 2 * MINUTE }));
  assert.deepEqual(await remindAt(MINUTE - 1), []);
  const again = await remindAt(MINUTE);
  assert.deepEqual(
    again.map(({ sink }) => sink),
    ['alertmanager'],
  );
  const [alert] = again[0]!.alerts;
  assert.deepEqual(alert.annotations, { summary: 'worse' });
  assert.equal(
    alert.endsAt,
    new Date(AT + MINUTE + 8 * MINUTE).toISOString(),
    'four times the interval of the group',
  );
  assert.deepEqual(await remindAt(2 * MINUTE - 1), []);
  assert.deepEqual(namesOf(await remindAt(2 * MINUTE)), ['A']);
});

test('the end of an alert is repeated for five minutes', async () => {
  const { notifier, evaluated, sent, remindAt } = setup(['alertmanager']);
  notifier.transition(ended('A'));
  await evaluated();
  sent();
  let count = 0;
  for (let elapsed = 0; elapsed < 20 * MINUTE; elapsed += 5000) {
    const again = await remindAt(elapsed);
    count += again.length;
    for (const { alerts } of again) assert.equal(alerts[0].endsAt, new Date(AT).toISOString());
    if (elapsed > 5 * MINUTE) assert.deepEqual(again, []);
  }
  assert.equal(count, 5);
});

test('an alert that fires anew is not taken as ended, nor the other way round', async () => {
  const { notifier, evaluated, sent, remindAt, current } = setup(['alertmanager']);
  notifier.transition(ended('A'));
  await evaluated();
  current.push(named('A', { firedAt: AT + 10_000 }));
  notifier.transition(named('A', { firedAt: AT + 10_000 }));
  await evaluated();
  sent();
  const [again] = await remindAt(MINUTE);
  assert.equal(again?.alerts.length, 1);
  assert.ok(Date.parse(again!.alerts[0].endsAt) > AT + MINUTE);
});

test('an alert that went without a word is not sent again', async () => {
  const { notifier, evaluated, sent, remindAt, current } = setup(['alertmanager']);
  notifier.transition(named('A'));
  await evaluated();
  sent();
  assert.deepEqual(await remindAt(MINUTE), []);
  current.push(named('A'));
  assert.deepEqual(await remindAt(2 * MINUTE), []);
});
