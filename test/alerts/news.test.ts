import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertPoints } from '../../src/alerts/active-series.ts';
import { isNews } from '../../src/alerts/news.ts';
import type { ActiveAlert } from '../../src/model/alert.ts';
import { transition } from './transitions.ts';

test('news are alerts that fire, and the end of those that did', () => {
  assert.ok(isNews(transition()));
  assert.ok(isNews(transition({ state: 'resolved', previousState: 'firing' })));
  assert.ok(!isNews(transition({ state: 'resolved', previousState: 'pending' })));
  assert.ok(!isNews(transition({ state: 'pending' })));
});

test('ALERTS and ALERTS_FOR_STATE have what is pending or fires', () => {
  const labels = { alertname: 'A' };
  const alerts = (['pending', 'firing', 'resolved'] as const).map((state): ActiveAlert => {
    return { ...transition({ labels, activeAt: 1999 }), state };
  });
  const since = { name: 'ALERTS_FOR_STATE', labels, value: 1 };
  assert.deepEqual(alertPoints(alerts), [
    { name: 'ALERTS', labels: { ...labels, alertstate: 'pending' }, value: 1 },
    since,
    { name: 'ALERTS', labels: { ...labels, alertstate: 'firing' }, value: 1 },
    since,
  ]);
});

test('alerts that a Prometheus makes of the same rule are left out on auto, all are on off', () => {
  const alert = (name: string, annotations: Record<string, string>): ActiveAlert =>
    transition({ labels: { alertname: name }, annotations });
  const alerts = [alert('Ours', {}), alert('Theirs', { taskwarden_ruler: 'prometheus' })];
  const names = (mode: 'on' | 'off' | 'auto') =>
    alertPoints(alerts, mode)
      .filter(({ name }) => name === 'ALERTS')
      .map(({ labels }) => labels.alertname);
  assert.deepEqual([names('on'), names('auto'), names('off')], [['Ours', 'Theirs'], ['Ours'], []]);
});
