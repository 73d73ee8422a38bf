import { ALERT_SERIES, METRICS } from '../../src/model/metrics.ts';
import { prometheusLabel, prometheusName } from '../../src/model/prometheus-name.ts';

export interface KnownSeries {
  readonly labels: ReadonlySet<string>;
  /** True for what only ever grows: counters and the three series of a histogram. */
  readonly counter: boolean;
}

/** Every series name that Prometheus can have from the metric table, with the labels it may carry. */
export function knownSeries(): Map<string, KnownSeries> {
  const known = new Map<string, KnownSeries>();
  const identity = ['job', 'instance'];
  for (const [name, { unit, kind, attributes }] of Object.entries(METRICS)) {
    const labels = [...identity, ...attributes.map(prometheusLabel)];
    const full = prometheusName(name, unit, kind);
    if (kind === 'histogram') {
      known.set(`${full}_bucket`, { labels: new Set([...labels, 'le']), counter: true });
      known.set(`${full}_sum`, { labels: new Set(labels), counter: true });
      known.set(`${full}_count`, { labels: new Set(labels), counter: true });
    } else known.set(full, { labels: new Set(labels), counter: kind === 'counter' });
  }
  // An alert carries the labels of its rule's result, which are those of some metric.
  const all = new Set([...known.values()].flatMap(({ labels }) => [...labels]));
  for (const name of ALERT_SERIES)
    known.set(name, { labels: new Set([...all, 'alertname', 'alertstate']), counter: false });
  return known;
}
