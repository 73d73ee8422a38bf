import type { Labels } from '../model/labels.ts';
import type { MetricName } from '../model/metrics.ts';
import type { Registry } from '../store/registry.ts';

/** Sets a metric; a value that is unknown is absent, never 0. */
export type Put = (name: MetricName, value: number | undefined, attributes?: Labels) => void;

export function putInto(registry: Registry): Put {
  return (name, value, attributes = {}) => {
    if (value === undefined || Number.isNaN(value)) registry.remove(name, attributes);
    else registry.set(name, attributes, value);
  };
}
