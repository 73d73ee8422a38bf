import type { ActiveAlert } from '../model/alert.ts';
import type { Labels } from '../model/labels.ts';
import type { ALERT_SERIES } from '../model/metrics.ts';

/** One point of the metrics ALERTS and ALERTS_FOR_STATE: gauges with an empty unit. */
export interface AlertPoint {
  readonly name: (typeof ALERT_SERIES)[number];
  readonly labels: Labels;
  /** 1 for ALERTS, the start of the condition in whole seconds since the Unix epoch for ALERTS_FOR_STATE. */
  readonly value: number;
}

/** Whether alerts are exported as metrics: all, none, or those that no Prometheus makes of the same rule. */
export type AlertsMetric = 'on' | 'off' | 'auto';

/** What a metrics export says of the pending and firing alerts. */
export function alertPoints(alerts: Iterable<ActiveAlert>, mode: AlertsMetric = 'on'): AlertPoint[] {
  if (mode === 'off') return [];
  return [...alerts]
    .filter((alert) => alert.state !== 'resolved' && (mode === 'on' || !isEvaluatedElsewhere(alert)))
    .flatMap(pointsOf);
}

/**
 * True for an alert whose rule says, by the annotation `taskwarden_ruler: prometheus`, that a Prometheus evaluates it as well: what the
 * agent said of it would be said twice.
 */
export function isEvaluatedElsewhere({ annotations }: Pick<ActiveAlert, 'annotations'>): boolean {
  return annotations.taskwarden_ruler === 'prometheus';
}

function pointsOf({ labels, state, activeAt }: ActiveAlert): AlertPoint[] {
  return [
    { name: 'ALERTS', labels: { ...labels, alertstate: state }, value: 1 },
    { name: 'ALERTS_FOR_STATE', labels, value: Math.floor(activeAt / 1000) },
  ];
}
