import { parseFloat64 } from '../../promql/format.ts';
import { sprintf } from './printf.ts';
import { special, TemplateExecError, type Value } from './values.ts';

/** Formats of Prometheus's template functions (source: prometheus/template/template.go, common/helpers/templates). */

const LARGE = ['', 'k', 'M', 'G', 'T', 'P', 'E', 'Z', 'Y'] as const;
const SMALL = ['', 'm', 'u', 'n', 'p', 'f', 'a', 'z', 'y'] as const;
const BINARY = ['', 'ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei', 'Zi', 'Yi'] as const;

export function humanize(value: number): string {
  if (value === 0 || special(value) !== undefined) return short(value);
  return Math.abs(value) >= 1 ? scaled(value, 1000, LARGE) : shrunk(value);
}

export function humanize1024(value: number): string {
  if (Math.abs(value) <= 1 || special(value) !== undefined) return short(value);
  return scaled(value, 1024, BINARY);
}

export function humanizePercentage(value: number): string {
  return `${short(value * 100)}%`;
}

/** Seconds as `1d 2h 3m 4s`, or with a prefix below one second. */
export function humanizeDuration(value: number): string {
  if (special(value) !== undefined) return short(value);
  if (value === 0) return '0s';
  if (Math.abs(value) < 1) return `${shrunk(value)}s`;
  const sign = value < 0 ? '-' : '';
  const total = Math.trunc(Math.abs(value));
  const seconds = total % 60;
  const minutes = Math.trunc(total / 60) % 60;
  const hours = Math.trunc(total / 3600) % 24;
  const days = Math.trunc(total / 86400);
  if (days > 0) return `${sign}${days}d ${hours}h ${minutes}m ${seconds}s`;
  if (hours > 0) return `${sign}${hours}h ${minutes}m ${seconds}s`;
  if (minutes > 0) return `${sign}${minutes}m ${seconds}s`;
  return `${sign}${short(Math.abs(value))}s`;
}

/** Seconds since the Unix epoch as Go prints a time: `2024-01-02 03:04:05.6 +0000 UTC`. */
export function humanizeTimestamp(value: number): string {
  return special(value) !== undefined ? short(value) : timeText(value);
}

export function timeText(seconds: number): string {
  const date = new Date(Math.floor(seconds * 1000));
  if (Number.isNaN(date.getTime())) throw new TemplateExecError(`${seconds} is no time that can be shown`);
  const [day, clock = ''] = date.toISOString().split('T');
  return `${day} ${clock.replace(/\.?0*Z$/, '')} +0000 UTC`;
}

/** A number, or a text of one, as a float; durations count in seconds. */
export function toFloat(value: Value): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'string') {
    const number = parseFloat64(value);
    if (number !== undefined) return number;
    throw new TemplateExecError(`parsing ${JSON.stringify(value)}: invalid syntax`);
  }
  throw new TemplateExecError(`can't convert ${typeof value} to float`);
}

function short(value: number): string {
  return sprintf('%.4g', [value]);
}

function scaled(value: number, step: number, prefixes: readonly string[]): string {
  let rest = value;
  let at = 0;
  while (Math.abs(rest) >= step && at < prefixes.length - 1) {
    rest /= step;
    at++;
  }
  return short(rest) + prefixes[at];
}

function shrunk(value: number): string {
  let rest = value;
  let at = 0;
  while (Math.abs(rest) < 1 && at < SMALL.length - 1) {
    rest *= 1000;
    at++;
  }
  return short(rest) + SMALL[at];
}
