import { prometheusName } from '../model/prometheus-name.ts';
import type { Metric } from '../store/registry.ts';
import { type Answer, success } from './answer.ts';
import type { Parameters } from './parameters.ts';

/** `/api/v1/metadata`: type and description of the metrics that there are. */
export function metadata(parameters: Parameters, metrics: Iterable<Metric>): Answer {
  const wanted = parameters.get('metric');
  const limit = parameters.limit('limit', -1);
  const perMetric = parameters.limit('limit_per_metric', -1);
  const found: Record<string, object[]> = {};
  let count = 0;
  for (const { name, definition, points } of metrics) {
    const { kind, unit, description } = definition;
    const title = prometheusName(name, unit, kind);
    if (points.size === 0 || (wanted !== '' && wanted !== title)) continue;
    if (limit >= 0 && count >= limit) break;
    const type = kind === 'updowncounter' ? 'gauge' : kind;
    found[title] = perMetric === 0 ? [] : [{ type, help: description, unit: '' }];
    count++;
  }
  return success([JSON.stringify(found)]);
}
