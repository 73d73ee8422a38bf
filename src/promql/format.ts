/** A number as Prometheus writes it in labels and answers: never with an exponent. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const match = /^(-?)(\d)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (match === null) return text;
  const [, sign, whole, fraction = '', exponent] = match;
  const digits = `${whole}${fraction}`;
  const point = 1 + Number(exponent);
  return point > 0 ? `${sign}${digits.padEnd(point, '0')}` : `${sign}0.${'0'.repeat(-point)}${digits}`;
}

/** A number as Go's strconv.ParseFloat reads it, as in the label `le`; undefined when it is none. */
export function parseFloat64(text: string): number | undefined {
  const word = /^([+-]?)(?:inf(?:inity)?)$/i.exec(text);
  if (word !== null) return word[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^[+-]?nan$/i.test(text)) return Number.NaN;
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined;
}

/** A number as Go's %v writes it: with an exponent of two digits where that is below -4 or above 20. */
export function formatShortest(value: number): string {
  const magnitude = Math.abs(value);
  if (!Number.isFinite(value) || value === 0 || (magnitude >= 1e-4 && magnitude < 1e21))
    return formatFloat(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
