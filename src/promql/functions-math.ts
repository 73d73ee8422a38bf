import { log2, log10 } from './go-math.ts';

type NumberFunction = (value: number) => number;

/** Parts of a date in UTC, from seconds since the Unix epoch. */
function datePart(read: (date: Date) => number): NumberFunction {
  return (seconds) => (Number.isFinite(seconds) ? read(new Date(Math.trunc(seconds) * 1000)) : Number.NaN);
}

function dayOfYear(date: Date): number {
  const newYear = Date.UTC(date.getUTCFullYear(), 0, 1);
  return Math.floor((date.getTime() - newYear) / 86_400_000) + 1;
}

function daysInMonth(date: Date): number {
  return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate();
}

export const DATE_FUNCTIONS: Readonly<Record<string, NumberFunction>> = {
  minute: datePart((date) => date.getUTCMinutes()),
  hour: datePart((date) => date.getUTCHours()),
  day_of_week: datePart((date) => date.getUTCDay()),
  day_of_month: datePart((date) => date.getUTCDate()),
  day_of_year: datePart(dayOfYear),
  days_in_month: datePart(daysInMonth),
  month: datePart((date) => date.getUTCMonth() + 1),
  year: datePart((date) => date.getUTCFullYear()),
};

export const MATH_FUNCTIONS: Readonly<Record<string, NumberFunction>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  sqrt: Math.sqrt,
  ln: Math.log,
  log2,
  log10,
  sgn: (value) => (value < 0 ? -1 : value > 0 ? 1 : value),
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  deg: (value) => value * (180 / Math.PI),
  rad: (value) => value * (Math.PI / 180),
};

/** Rounds to a multiple of `nearest`, halves upwards. */
export function round(value: number, nearest: number): number {
  // Through the inverse, as Prometheus does it: 1/0.1 is exact where 0.1 is not.
  const inverse = 1 / nearest;
  return Math.floor(value * inverse + 0.5) / inverse;
}

/** `Math.max(min, Math.min(max, value))` as Go has it: an infinity that decides the result outweighs NaN. */
export function clamp(value: number, min: number, max: number): number {
  const low = value === Number.NEGATIVE_INFINITY || max === Number.NEGATIVE_INFINITY;
  const capped = low ? Number.NEGATIVE_INFINITY : Math.min(max, value);
  const high = min === Number.POSITIVE_INFINITY || capped === Number.POSITIVE_INFINITY;
  return high ? Number.POSITIVE_INFINITY : Math.max(min, capped);
}
