import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertmanagerBody, alertsUrl } from '../../src/alerts/alertmanager.ts';
import { outgoing } from '../../src/alerts/outgoing.ts';
import { webhookBody } from '../../src/alerts/webhook.ts';
import type { AlertTransition } from '../../src/model/alert.ts';
import { AT, RUN, transition } from './transitions.ts';

const OPTIONS = {
  labels: { job: 'shop/mailer', instance: 'a-1', env: 'prod' },
  externalUrl: '',
  fingerprint: (labels: object) => Object.keys(labels).sort().join(),
};
const sent = (changes: Partial<AlertTransition> = {}, over = {}) =>
  outgoing(transition(changes), { ...OPTIONS, ...over });
const parse = (body: string) => JSON.parse(body);
const MINUTE = 60_000;
const iso = (ms: number) => new Date(ms).toISOString();

test('an alert has the labels of its process unless it has them itself', () => {
  const { labels, fingerprint } = sent({ labels: { alertname: 'A', instance: 'own', empty: '' } });
  assert.deepEqual(labels, { alertname: 'A', job: 'shop/mailer', instance: 'own', env: 'prod' });
  assert.equal(fingerprint, 'alertname,env,instance,job');
});

test('label names are such as every Alertmanager knows', () => {
  const { labels, annotations } = sent({
    labels: { 'task.name': 'a', '1st': 'b' },
    annotations: { 'a-b': 'c' },
  });
  assert.equal(labels.task_name, 'a');
  assert.equal(labels.key_1st, 'b');
  assert.deepEqual(annotations, { a_b: 'c' });
});

test('the runs concerned are an annotation, and long texts are cut', () => {
  const { annotations } = sent({
    annotations: { summary: 'x'.repeat(5000) },
    runs: [RUN, ...Array(6).fill({ ...RUN, jobId: '18', active: false, traceId: '' })],
  });
  assert.equal(annotations.summary?.length, 4096);
  assert.equal(
    annotations.taskwarden_runs,
    `job 17 of reports (render, attempt 2, running for 1.2 s, trace ${RUN.traceId})${'; job 18 of reports (render, attempt 2, ran 1.2 s)'.repeat(4)}; 2 more`,
  );
});

test('runs in flight leave room for those that an alert about ended ones is about', () => {
  const jobsOf = (active: number, ended: number): string[] => {
    const runs = Array.from({ length: active + ended }, (_, n) => ({
      ...RUN,
      jobId: `${n}`,
      active: n < active,
    }));
    return [...(sent({ runs }).annotations.taskwarden_runs ?? '').matchAll(/job (\d+)/g)].map(
      ([, id]) => id!,
    );
  };
  assert.deepEqual(jobsOf(10, 5), ['0', '1', '2', '10', '11']);
  assert.deepEqual(jobsOf(10, 1), ['0', '1', '2', '3', '10']);
  assert.deepEqual(jobsOf(10, 0), ['0', '1', '2', '3', '4']);
  assert.deepEqual(jobsOf(2, 9), ['0', '1', '2', '3', '4']);
});

test('Alertmanager is told when a firing alert ends unless it is told again', () => {
  const now = AT + 30_000;
  const [firing] = parse(alertmanagerBody([sent()], now));
  assert.deepEqual(firing, {
    labels: sent().labels,
    annotations: transition().annotations,
    startsAt: iso(AT),
    endsAt: iso(now + 4 * MINUTE),
  });
  const [slow] = parse(alertmanagerBody([sent({ intervalMs: 10 * MINUTE })], now));
  assert.equal(slow.endsAt, iso(now + 40 * MINUTE));
  const [ended] = parse(alertmanagerBody([sent({ state: 'resolved', resolvedAt: AT + 10_000 })], now));
  assert.equal(ended.endsAt, iso(AT + 10_000));
});

test('a clock that was set back makes no end in the future and none before the begin', () => {
  const now = AT - MINUTE;
  const [ended] = parse(alertmanagerBody([sent({ state: 'resolved', resolvedAt: AT + 10_000 })], now));
  assert.deepEqual([ended.startsAt, ended.endsAt], [iso(now), iso(now)]);
});

test('the link to the source is that of Prometheus, where it is known', () => {
  const [alert] = parse(alertmanagerBody([sent({}, { externalUrl: 'https://host/prometheus/' })], AT));
  assert.equal(alert.generatorURL, 'https://host/prometheus/graph?g0.expr=x%20%3E%201&g0.tab=1');
});

test('a webhook gets the JSON of Alertmanager', () => {
  const ended = sent({
    state: 'resolved',
    resolvedAt: AT + 1000,
    labels: { alertname: 'TaskBlocksEventLoop', task_name: 'other' },
    annotations: { summary: 'other' },
  });
  const body = parse(webhookBody([sent(), ended], 'https://host/'));
  assert.deepEqual(body, {
    version: '4',
    groupKey: '{}:{}',
    truncatedAlerts: 0,
    status: 'firing',
    receiver: 'taskwarden',
    groupLabels: {},
    commonLabels: { alertname: 'TaskBlocksEventLoop', ...OPTIONS.labels },
    commonAnnotations: {},
    externalURL: 'https://host/',
    alerts: [
      {
        status: 'firing',
        labels: sent().labels,
        annotations: transition().annotations,
        startsAt: iso(AT),
        endsAt: '0001-01-01T00:00:00Z',
        generatorURL: '',
        fingerprint: sent().fingerprint,
      },
      {
        status: 'resolved',
        labels: ended.labels,
        annotations: { summary: 'other' },
        startsAt: iso(AT),
        endsAt: iso(AT + 1000),
        generatorURL: '',
        fingerprint: ended.fingerprint,
      },
    ],
  });
  assert.equal(parse(webhookBody([ended], '')).status, 'resolved');
});

test('an Alertmanager may be below a path', () => {
  for (const [base, url] of [
    ['http://a:9093', 'http://a:9093/api/v2/alerts'],
    ['http://a:9093/', 'http://a:9093/api/v2/alerts'],
    ['http://a/am/', 'http://a/am/api/v2/alerts'],
    ['http://a/am/api/v2/alerts', 'http://a/am/api/v2/alerts'],
    ['http://a/am?tenant=1', 'http://a/am/api/v2/alerts?tenant=1'],
  ] as const)
    assert.equal(alertsUrl(base).href, url);
});
