/**
 * OpenTelemetry name → Prometheus name, by the default strategy of Prometheus and of the collector's exporters
 * (UnderscoreEscapingWithSuffixes; source: github.com/prometheus/otlptranslator).
 */
const UNITS: Readonly<Record<string, string>> = {
  d: 'days',
  h: 'hours',
  min: 'minutes',
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  By: 'bytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  TiBy: 'tibibytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  TBy: 'terabytes',
  m: 'meters',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  g: 'grams',
  Cel: 'celsius',
  Hz: 'hertz',
  '%': 'percent',
};

const PER_UNITS: Readonly<Record<string, string>> = {
  s: 'second',
  m: 'minute',
  h: 'hour',
  d: 'day',
  w: 'week',
  mo: 'month',
  y: 'year',
};

export type PrometheusKind = 'counter' | 'gauge' | 'updowncounter' | 'histogram';

/** The name that rules and dashboards use for a metric, without `_bucket`, `_sum` or `_count`. */
export function prometheusName(name: string, unit: string, kind: PrometheusKind): string {
  const tokens = name.split(/[^A-Za-z0-9:]+/).filter((token) => token !== '');
  for (const word of unitWords(unit)) if (!tokens.includes(word)) tokens.push(word);
  if (kind === 'counter') {
    const at = tokens.indexOf('total');
    if (at >= 0) tokens.splice(at, 1);
    tokens.push('total');
  }
  if (unit === '1' && kind === 'gauge' && !tokens.includes('ratio')) tokens.push('ratio');
  const joined = tokens.join('_');
  return /^[0-9]/.test(joined) ? `_${joined}` : joined;
}

function unitWords(unit: string): string[] {
  const [main = '', per] = unit.split('/', 2).map((part) => (part.includes('{') ? '' : part.trim()));
  const words: string[] = [];
  if (main !== '' && main !== '1') words.push(UNITS[main] ?? main);
  if (per !== undefined && per !== '') words.push('per', PER_UNITS[per] ?? per);
  return words;
}

/** The label name that Prometheus gives an OpenTelemetry attribute. */
export function prometheusLabel(attribute: string): string {
  const label = attribute.replace(/[^A-Za-z0-9_]/g, '_');
  return /^[0-9]/.test(label) ? `key_${label}` : label;
}
