import type { Labels } from '../../model/labels.ts';
import type { Sample } from '../../model/queryable.ts';
import { quoteGo } from '../../promql/strings.ts';

/** Labels and annotations of an alert. */
export interface AlertText {
  readonly labels: Labels;
  readonly annotations: Labels;
}

/** Texts as promtool prints them, so that its users and its scripts find what they know. */
export function labelsText(labels: Labels): string {
  const pairs = Object.keys(labels)
    .sort()
    .map((name) => `${/^[a-zA-Z_]\w*$/.test(name) ? name : quoteGo(name)}=${quoteGo(labels[name]!)}`);
  return `{${pairs.join(', ')}}`;
}

export function alertText({ labels, annotations }: AlertText): string {
  return `Labels:${labelsText(labels)}\nAnnotations:${labelsText(annotations)}`;
}

export function sampleText({ labels, value }: Sample): string {
  return `${labelsText(labels)} ${exponential(value)}`;
}

/** Alerts, each by its text, numbered and indented. */
export function alertListText(texts: readonly string[]): string {
  if (texts.length === 0) return '[]';
  const items = texts.map((text, at) => `${at}:\n  ${text.replaceAll('\n', '\n  ')}`);
  return `[\n${items.join(',\n')}\n]`.replaceAll('\n', '\n            ');
}

export function sampleListText(texts: readonly string[]): string {
  return texts.length === 0 ? 'nil' : texts.join(', ');
}

/** A number as Go's `%E` with the fewest digits: `1.5E+00`. */
function exponential(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const sign = Object.is(value, -0) ? '-' : '';
  return (
    sign +
    value.toExponential().replace(/e([+-])(\d+)$/, (_, mark, digits) => `E${mark}${digits.padStart(2, '0')}`)
  );
}

/** A time in ms as Go's time.Duration prints it: `1h0m0s`, `1m30s`, `0s`, `500ms`. */
export function goDuration(ms: number): string {
  if (ms !== 0 && Math.abs(ms) < 1000) return `${ms}ms`;
  const seconds = `${(ms % 60_000) / 1000}s`;
  const minutes = Math.floor(ms / 60_000);
  if (minutes === 0) return seconds;
  return minutes < 60 ? `${minutes}m${seconds}` : `${Math.floor(minutes / 60)}h${minutes % 60}m${seconds}`;
}
