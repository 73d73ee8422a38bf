import type { Labels } from '../../src/model/labels.ts';
import { METRICS, type MetricName } from '../../src/model/metrics.ts';
import { observe, type Registry } from '../../src/store/registry.ts';

/** Values that an attribute takes where a panel asks for one in particular; all others take two made-up ones. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  'messaging.system': ['asynq'],
  'messaging.operation.name': ['process'],
  'task.outcome': ['success', 'failure'],
  'queue.state': ['ready', 'active', 'scheduled', 'dead', 'aggregating'],
  'task.retry': ['false', 'true'],
  'task.dependency.outcome': ['success', 'server_error'],
};

/** Every combination of values of a metric's attributes; optional ones are also left out. */
export function combinations(name: MetricName): Labels[] {
  const { attributes, optional = [] } = METRICS[name];
  let all: Labels[] = [{}];
  for (const attribute of attributes) {
    const values = VALUES[attribute] ?? [`${attribute}-a`, `${attribute}-b`];
    all = all.flatMap((labels) => [
      ...values.map((value) => ({ ...labels, [attribute]: value })),
      ...(optional.includes(attribute) ? [labels] : []),
    ]);
  }
  return all;
}

/** Observations of each step in the middle bucket, beside one elsewhere. */
const BULK = 200;

/**
 * Moves every series of every metric of the table one step on: counters and histograms grow, the others change. No value
 * is 0, so that no ratio is 0/0. The quantiles that panels ask for lie within the middle bucket, never on its edge, where
 * the last bit of a sum would decide which bucket is meant.
 */
export function advance(registry: Registry, step: number): void {
  for (const name of Object.keys(METRICS) as MetricName[]) {
    const { kind, buckets } = METRICS[name];
    combinations(name).forEach((attributes, index) => {
      if (kind === 'counter') registry.add(name, attributes, index + 1);
      else if (kind !== 'histogram') registry.set(name, attributes, 1 + ((step + index) % 7));
      else {
        const bounds = buckets ?? [];
        const point = registry.histogram(name, attributes);
        const middle = bounds[Math.floor(bounds.length / 2)]!;
        for (let i = 0; i < BULK; i++) observe(point, bounds, middle);
        observe(point, bounds, bounds[(step + index) % bounds.length]!);
      }
    });
  }
}
