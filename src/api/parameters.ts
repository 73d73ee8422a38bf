import { parseDuration } from '../model/duration.ts';
import { parseFloat64 } from '../promql/format.ts';
import { ApiError } from './answer.ts';

/** The time of JavaScript's dates, ms: what lies beyond has no sample, and no whole milliseconds either. */
const MAX_TIME = 8.64e15;
/** What Prometheus's clients send for "since ever" and "for ever". */
const EVER: ReadonlyMap<string, number> = new Map([
  ['-292273086-05-16T16:47:06Z', -MAX_TIME],
  ['292277025-08-18T07:12:54.999999999Z', MAX_TIME],
  ['+292277025-08-18T07:12:54.999999999Z', MAX_TIME],
]);
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/;

/** The parameters of a request: those of its form first, then those of its address. */
export class Parameters {
  readonly #all: URLSearchParams;

  constructor(query: string, form: string) {
    this.#all = new URLSearchParams(form);
    for (const [name, value] of new URLSearchParams(query)) this.#all.append(name, value);
  }

  /** The first value; '' where there is none. */
  get(name: string): string {
    return this.#all.get(name) ?? '';
  }

  all(name: string): string[] {
    return this.#all.getAll(name);
  }

  /** A time in ms since the Unix epoch: `fallback` where there is none. @throws ApiError bad_data */
  time(name: string, fallback?: number): number {
    const raw = this.get(name);
    const ms = raw === '' ? fallback : parseTime(raw);
    if (ms === undefined) return invalid(name, `cannot parse ${JSON.stringify(raw)} to a valid timestamp`);
    return ms;
  }

  /** A duration in ms. @throws ApiError bad_data */
  duration(name: string): number {
    const raw = this.get(name);
    const seconds = parseFloat64(raw);
    const ms = seconds === undefined ? parseDuration(raw) : Math.round(seconds * 1000);
    if (ms === undefined || !Number.isSafeInteger(ms))
      return invalid(name, `cannot parse ${JSON.stringify(raw)} to a valid duration`);
    return ms;
  }

  /** A number of items; 0 means all. @throws ApiError bad_data */
  limit(name = 'limit', fallback = 0): number {
    const raw = this.get(name);
    if (raw === '') return fallback;
    if (!/^[+-]?\d{1,15}$/.test(raw)) return invalid(name, `cannot parse ${JSON.stringify(raw)} to a number`);
    const limit = Number(raw);
    return limit < 0 && fallback === 0 ? invalid(name, `${name} must be non-negative`) : limit;
  }
}

/** Seconds since the Unix epoch or RFC 3339, in ms; undefined when it is neither. */
export function parseTime(raw: string): number | undefined {
  const seconds = parseFloat64(raw);
  const ms =
    seconds === undefined
      ? (EVER.get(raw) ?? (RFC3339.test(raw) ? Date.parse(raw) : Number.NaN))
      : Math.round(seconds * 1000);
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, -MAX_TIME), MAX_TIME);
}

export function invalid(parameter: string, message: string): never {
  throw new ApiError('bad_data', `invalid parameter ${JSON.stringify(parameter)}: ${message}`);
}
