import type { Labels } from '../model/labels.ts';

/** Seconds since the Unix epoch with at most three decimals, as Prometheus writes the time of a sample. */
export function timestampJson(ms: number): string {
  const whole = Math.abs(Math.round(ms));
  const fraction = whole % 1000;
  const text =
    String((whole - fraction) / 1000) + (fraction === 0 ? '' : `.${String(fraction).padStart(3, '0')}`);
  return ms < 0 && whole > 0 ? `-${text}` : text;
}

/** The value of a sample: a string, as JSON knows no NaN and no infinity, with an exponent beyond 1e21 and below 1e-6. */
export function valueJson(value: number): string {
  return `"${formatValue(value)}"`;
}

export function formatValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  // Go writes at least two digits of an exponent.
  return String(value).replace(/e([+-])(\d)$/, 'e$10$2');
}

/** A value as Prometheus writes that of an alert: always with an exponent. */
export function exponential(value: number): string {
  if (!Number.isFinite(value)) return formatValue(value);
  const sign = Object.is(value, -0) ? '-' : '';
  return sign + value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}

/** A label set with its names in order. */
export function labelsJson(labels: Labels): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${JSON.stringify(labels[name])}`);
  return `{${pairs.join(',')}}`;
}
