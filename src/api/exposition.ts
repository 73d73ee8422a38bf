import type { Labels } from '../model/labels.ts';
import { prometheusLabel, prometheusName } from '../model/prometheus-name.ts';
import { formatFloat } from '../promql/format.ts';
import type { HistogramPoint, Metric, NumberPoint } from '../store/registry.ts';

export type Format = 'openmetrics' | 'text';

export const CONTENT_TYPE: Readonly<Record<Format, string>> = {
  openmetrics: 'application/openmetrics-text; version=1.0.0; charset=utf-8',
  text: 'text/plain; version=0.0.4; charset=utf-8',
};

/** The format that an Accept header prefers: OpenMetrics where it is named, unless text is named with a higher `q`. */
export function formatFor(accept: string | undefined): Format {
  const best = { openmetrics: -1, text: 0 };
  for (const item of (accept ?? '').split(',')) {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const q = Number(parameters.find((part) => part.startsWith('q='))?.slice(2) ?? 1);
    if (type === 'application/openmetrics-text' && q > 0) best.openmetrics = Math.max(best.openmetrics, q);
    if (type === 'text/plain') best.text = Math.max(best.text, q);
  }
  return best.openmetrics >= best.text ? 'openmetrics' : 'text';
}

/**
 * Every metric as text to be scraped, one part each, by the names that rules use. `job` and `instance` are left to the scraper; what
 * else is known of the process is in `target_info`, as OpenTelemetry asks.
 */
export function* exposition(
  metrics: Iterable<Metric>,
  resource: Readonly<Record<string, string | number>>,
  format: Format,
): Generator<string> {
  for (const metric of metrics) if (metric.points.size > 0) yield family(metric, format);
  // Two attributes may have one label, which must not stand there twice.
  const attributes = Object.entries(resource).map(([name, value]) => [prometheusLabel(name), String(value)]);
  const info = `target_info${labelsText(Object.fromEntries(attributes))} 1\n`;
  yield format === 'text'
    ? `# HELP target_info The resource of OpenTelemetry.\n# TYPE target_info gauge\n${info}`
    : `# TYPE target info\n# HELP target The resource of OpenTelemetry.\n${info}# EOF\n`;
}

function family({ name, definition, points }: Metric, format: Format): string {
  const { kind, unit, description, buckets = [] } = definition;
  const sample = prometheusName(name, unit, kind);
  // OpenMetrics names the family of a counter without the suffix that its samples have.
  const title = format === 'openmetrics' && kind === 'counter' ? sample.replace(/_total$/, '') : sample;
  const type = kind === 'updowncounter' ? 'gauge' : kind;
  let text = `# HELP ${title} ${escapeHelp(description, format)}\n# TYPE ${title} ${type}\n`;
  for (const point of points.values())
    text +=
      'counts' in point
        ? histogram(sample, point, buckets, format)
        : `${sample}${labelsText((point as NumberPoint).attributes)} ${formatFloat(point.value)}\n`;
  return text;
}

function histogram(name: string, point: HistogramPoint, bounds: readonly number[], format: Format): string {
  let text = '';
  let cumulative = 0;
  for (const [at, count] of point.counts.entries()) {
    cumulative += count;
    text += `${name}_bucket${labelsText(point.attributes, boundText(bounds[at], format))} ${cumulative}\n`;
  }
  const labels = labelsText(point.attributes);
  return `${text}${name}_sum${labels} ${formatFloat(point.sum)}\n${name}_count${labels} ${point.count}\n`;
}

/** OpenMetrics wants bounds to look like floats. */
function boundText(bound: number | undefined, format: Format): string {
  if (bound === undefined) return '+Inf';
  const text = formatFloat(bound);
  return format === 'openmetrics' && Number.isInteger(bound) ? `${text}.0` : text;
}

function labelsText(attributes: Labels, le?: string): string {
  const pairs = Object.entries(attributes)
    .filter(([, value]) => value !== '')
    .map(([attribute, value]) => `${prometheusLabel(attribute)}="${escapeValue(value)}"`);
  if (le !== undefined) pairs.push(`le="${le}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeValue(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
}

function escapeHelp(help: string, format: Format): string {
  const escaped = help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return format === 'openmetrics' ? escaped.replaceAll('"', '\\"') : escaped;
}
