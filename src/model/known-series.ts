import { METRICS } from './metrics.ts';
import { prometheusLabel, prometheusName } from './prometheus-name.ts';

export interface KnownSeries {
  readonly labels: ReadonlySet<string>;
  /** True for what only ever grows: counters and the three series of a histogram. */
  readonly counter: boolean;
}

/** Labels of every series: who it comes from. */
const IDENTITY = ['job', 'instance'];

/** Every series name that Prometheus can have from the metric table, with the labels it may carry. */
export function knownSeries(): Map<string, KnownSeries> {
  const known = new Map<string, KnownSeries>();
  for (const [name, { unit, kind, attributes }] of Object.entries(METRICS)) {
    const labels = [...IDENTITY, ...attributes.map(prometheusLabel)];
    const full = prometheusName(name, unit, kind);
    if (kind === 'histogram') {
      known.set(`${full}_bucket`, { labels: new Set([...labels, 'le']), counter: true });
      known.set(`${full}_sum`, { labels: new Set(labels), counter: true });
      known.set(`${full}_count`, { labels: new Set(labels), counter: true });
    } else known.set(full, { labels: new Set(labels), counter: kind === 'counter' });
  }
  return known;
}
