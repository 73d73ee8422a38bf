import { type KnownSeries, knownSeries as ofTable } from '../../src/model/known-series.ts';
import { ALERT_SERIES } from '../../src/model/metrics.ts';

export type { KnownSeries };

/** Every series name that Prometheus can have from the metric table and from rules, with the labels it may carry. */
export function knownSeries(): Map<string, KnownSeries> {
  const known = ofTable();
  // An alert carries the labels of its rule's result, which are those of some metric.
  const all = new Set([...known.values()].flatMap(({ labels }) => [...labels]));
  for (const name of ALERT_SERIES)
    known.set(name, { labels: new Set([...all, 'alertname', 'alertstate']), counter: false });
  return known;
}
