/**
 * Go's math functions where V8's differ in the last digit on whole numbers, which `floor`, `%` and comparisons make
 * visible: `log10(1000)` is 3 in Go and 2.9999999999999996 in V8 (source: Go, math/pow.go, math/log10.go).
 */

/** `value = fraction * 2 ** exponent` with the magnitude of the fraction in [0.5, 1); for finite values other than 0. */
function split(value: number): { fraction: number; exponent: number } {
  let exponent = Math.floor(Math.log2(Math.abs(value))) + 1;
  // In two steps, as 2 ** -exponent alone may be out of range.
  const half = Math.trunc(exponent / 2);
  let fraction = value / 2 ** half / 2 ** (exponent - half);
  if (Math.abs(fraction) >= 1) {
    fraction /= 2;
    exponent++;
  } else if (Math.abs(fraction) < 0.5) {
    fraction *= 2;
    exponent--;
  }
  return { fraction, exponent };
}

export function log2(value: number): number {
  if (!(value > 0 && value < Number.POSITIVE_INFINITY)) return Math.log2(value);
  const { fraction, exponent } = split(value);
  return fraction === 0.5 ? exponent - 1 : Math.log(fraction) * Math.LOG2E + exponent;
}

export function log10(value: number): number {
  return Math.log(value) * Math.LOG10E;
}

export function power(base: number, exponent: number): number {
  if (base === 1) return 1;
  if (base === -1 && Math.abs(exponent) === Number.POSITIVE_INFINITY) return 1;
  const whole = Math.floor(Math.abs(exponent));
  if (!Number.isFinite(base) || base === 0 || exponent === 0 || !(whole < 2 ** 63)) return base ** exponent;
  if (exponent === 1) return base;
  if (Math.abs(exponent) === 0.5) return exponent > 0 ? Math.sqrt(base) : 1 / Math.sqrt(base);
  return byParts(base, exponent, whole);
}

/** The fractional part of the exponent through exp and log, the whole part by squaring. */
function byParts(base: number, exponent: number, whole: number): number {
  let fractional = Math.abs(exponent) - whole;
  if (fractional !== 0 && base < 0) return Number.NaN;
  let left = whole;
  let result = 1;
  let resultExponent = 0;
  if (fractional !== 0) {
    if (fractional > 0.5) {
      fractional--;
      left++;
    }
    result = Math.exp(fractional * Math.log(base));
  }
  let { fraction: factor, exponent: factorExponent } = split(base);
  for (; left !== 0; left = Math.floor(left / 2)) {
    if (Math.abs(factorExponent) > 4096) {
      resultExponent += factorExponent;
      break;
    }
    if (left % 2 === 1) {
      result *= factor;
      resultExponent += factorExponent;
    }
    factor *= factor;
    factorExponent *= 2;
    if (factor < 0.5) {
      factor += factor;
      factorExponent--;
    }
  }
  return exponent < 0 ? scale(1 / result, -resultExponent) : scale(result, resultExponent);
}

/** `value * 2 ** exponent`, rounded once. */
function scale(value: number, exponent: number): number {
  const bounded = Math.max(-2200, Math.min(2200, exponent));
  const half = Math.trunc(bounded / 2);
  return value * 2 ** half * 2 ** (bounded - half);
}
