/**
 * Go's values as templates see them: float64 is a number, int a bigint, nil undefined; a map has sorted keys when
 * ranged over; a struct has a fixed set of fields.
 */
export type Value =
  | string
  | number
  | bigint
  | boolean
  | undefined
  | GoMap
  | GoStruct
  | GoNamed
  | readonly Value[];
export type GoMap = ReadonlyMap<string, Value>;

export interface GoStruct {
  readonly type: string;
  readonly fields: ReadonlyMap<string, Value>;
}

/** A value that only matters as text, such as a time. */
export interface GoNamed {
  readonly type: string;
  readonly text: string;
}

export class TemplateExecError extends Error {
  override readonly name = 'TemplateExecError';
}

export function isMap(value: Value): value is GoMap {
  return value instanceof Map;
}

export function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

export function isStruct(value: Value): value is GoStruct {
  return typeof value === 'object' && 'fields' in value;
}

function isNamed(value: Value): value is GoNamed {
  return typeof value === 'object' && 'text' in value;
}

export function typeName(value: Value): string {
  switch (typeof value) {
    case 'number':
      return 'float64';
    case 'bigint':
      return 'int';
    case 'boolean':
      return 'bool';
    case 'undefined':
      return '<nil>';
    case 'string':
      return 'string';
    default:
      if (isMap(value)) return 'map[string]string';
      return isList(value) ? '[]interface {}' : value.type;
  }
}

/** Go's truth: everything but the zero value of its type. */
export function isTrue(value: Value): boolean {
  if (isMap(value)) return value.size > 0;
  if (isList(value)) return value.length > 0;
  return typeof value === 'number'
    ? value !== 0
    : value !== undefined && value !== false && value !== '' && value !== 0n;
}

/** What `%v` prints. */
export function display(value: Value): string {
  if (value === undefined) return '<nil>';
  if (typeof value === 'number') return formatG(value);
  if (isMap(value))
    return `map[${sortedEntries(value)
      .map(([key, item]) => `${key}:${display(item)}`)
      .join(' ')}]`;
  if (isList(value)) return `[${value.map(display).join(' ')}]`;
  if (isStruct(value)) return `{${[...value.fields.values()].map(display).join(' ')}}`;
  return isNamed(value) ? value.text : String(value);
}

export function sortedEntries(map: GoMap): [string, Value][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

export function special(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN';
  return Number.isFinite(value) ? undefined : value > 0 ? '+Inf' : '-Inf';
}

/** `%g`: shortest text that reads back, or `precision` significant digits (source: Go strconv.FormatFloat). */
export function formatG(value: number, precision?: number): string {
  const name = special(value);
  if (name !== undefined) return name;
  const wanted = precision === undefined ? undefined : Math.max(1, precision);
  const text = wanted === undefined ? value.toExponential() : formatE(value, wanted - 1);
  const [mantissa = '0', exponent = '0'] = text.split('e');
  const power = Number(exponent);
  const trimmed = mantissa.includes('.') ? mantissa.replace(/\.?0+$/, '') : mantissa;
  const signed = Object.is(value, -0) && !trimmed.startsWith('-') ? `-${trimmed}` : trimmed;
  if (power < -4 || power >= (wanted ?? 6)) return `${signed}e${exponentText(power)}`;
  const digits = signed.replace(/[-.]/g, '');
  const sign = signed.startsWith('-') ? '-' : '';
  if (power < 0) return `${sign}0.${'0'.repeat(-power - 1)}${digits}`;
  const whole = digits.slice(0, power + 1).padEnd(power + 1, '0');
  const rest = digits.slice(power + 1);
  return rest === '' ? sign + whole : `${sign}${whole}.${rest}`;
}

/** `%e`, ties to even. */
export function formatE(value: number, precision: number): string {
  const digits = Math.min(100, precision);
  const rounded = rounding(
    value.toExponential(digits),
    value.toExponential(Math.min(100, digits + 30)),
    digits,
  );
  const [mantissa, power] = rounded.split('e');
  return `${mantissa}e${exponentText(Number(power))}`;
}

/** `%f`, ties to even. */
export function formatF(value: number, precision: number): string {
  const digits = Math.min(100, precision);
  if (Math.abs(value) >= 1e21) return `${BigInt(value)}${digits > 0 ? `.${'0'.repeat(digits)}` : ''}`;
  return rounding(value.toFixed(digits), value.toFixed(Math.min(100, digits + 30)), digits);
}

/** JavaScript rounds an exact tie up, Go to the even digit: `exact` has enough digits more to tell one. */
function rounding(up: string, exact: string, digits: number): string {
  const point = exact.indexOf('.') < 0 ? exact.length : exact.indexOf('.');
  const [mantissa = '', power] = exact.split('e');
  const cut = digits === 0 ? point : point + 1 + digits;
  if (!/^\.?50*$/.test(mantissa.slice(cut))) return up;
  const down = mantissa.slice(0, cut);
  const even = '02468'.includes(down.at(-1) ?? '');
  return even ? `${down}${power === undefined ? '' : `e${power}`}` : up;
}

function exponentText(power: number): string {
  return `${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}
