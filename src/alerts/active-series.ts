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

/** What a metrics export says of the pending and firing alerts. */
export function alertPoints(alerts: Iterable<ActiveAlert>): AlertPoint[] {
  return [...alerts].filter(({ state }) => state !== 'resolved').flatMap(pointsOf);
}

function pointsOf({ labels, state, activeAt }: ActiveAlert): AlertPoint[] {
  return [
    { name: 'ALERTS', labels: { ...labels, alertstate: state }, value: 1 },
    { name: 'ALERTS_FOR_STATE', labels, value: Math.floor(activeAt / 1000) },
  ];
}
