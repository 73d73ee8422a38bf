import type { ActiveAlert } from '../model/alert.ts';
import { type Labels, labelsKey } from '../model/labels.ts';
import type { ALERT_SERIES } from '../model/metrics.ts';

/** One point of the metrics ALERTS and ALERTS_FOR_STATE: gauges with an empty unit. */
export interface AlertPoint {
  readonly name: (typeof ALERT_SERIES)[number];
  readonly attributes: Labels;
  /** 1 for ALERTS, the start of the condition in whole seconds since the Unix epoch for ALERTS_FOR_STATE. */
  readonly value: number;
  /** The series ends: to be sent with the flag NoRecordedValue, else Prometheus keeps showing it for 5 minutes. */
  readonly noRecordedValue: boolean;
}

/**
 * What each metrics export says about alerts. `collect` is to be called once an export: it gives the pending and firing
 * alerts, and once the end of each series that the collection before had. An alert that comes and goes between two
 * collections is in the logs alone.
 */
export function createAlertSeries(alerts: () => Iterable<ActiveAlert>): { collect(): AlertPoint[] } {
  let before = new Map<string, AlertPoint>();
  return {
    collect() {
      const now = new Map<string, AlertPoint>();
      for (const alert of alerts()) {
        if (alert.state === 'resolved') continue;
        for (const point of pointsOf(alert)) now.set(keyOf(point), point);
      }
      const ended = [...before].filter(([key]) => !now.has(key)).map(([, point]) => point);
      before = now;
      return [...now.values(), ...ended.map((point) => ({ ...point, value: 0, noRecordedValue: true }))];
    },
  };
}

function pointsOf({ labels, state, activeAt }: ActiveAlert): AlertPoint[] {
  return [
    { name: 'ALERTS', attributes: { ...labels, alertstate: state }, value: 1, noRecordedValue: false },
    {
      name: 'ALERTS_FOR_STATE',
      attributes: labels,
      value: Math.floor(activeAt / 1000),
      noRecordedValue: false,
    },
  ];
}

function keyOf({ name, attributes }: AlertPoint): string {
  return `${name}\u0000${labelsKey(attributes)}`;
}
