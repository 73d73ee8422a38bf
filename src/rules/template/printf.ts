import {
  display,
  formatE,
  formatF,
  formatG,
  isList,
  isMap,
  special,
  typeName,
  type Value,
} from './values.ts';

interface Format {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
}

/** Width or precision beyond which Go prints an error, too. */
const MAX_WIDTH = 1e6;

/** Go's fmt.Sprintf for the values of templates; what does not fit prints as `%!verb(type=value)`. */
export function sprintf(format: string, args: readonly Value[]): string {
  let used = 0;
  const star = () => {
    const value = args[used++];
    return typeof value === 'bigint' && value < MAX_WIDTH && value > -MAX_WIDTH ? Number(value) : undefined;
  };
  const shape = /%([-+# 0]*)(\*|\d+)?(?:(\.)(\*|\d+)?)?([\s\S]|$)/gu;
  let text = format.replace(shape, (_, flags: string, width, dot, precision, verb: string) => {
    if (verb === '') return '%!(NOVERB)';
    const wide = width === '*' ? star() : Number(width ?? 0);
    const precise = precision === '*' ? star() : dot === undefined ? undefined : Number(precision ?? 0);
    if (wide === undefined || Math.abs(wide) > MAX_WIDTH) return `%!(BADWIDTH)`;
    if (precise !== undefined && precise > MAX_WIDTH) return `%!(BADPREC)`;
    if (verb === '%') return '%';
    if (used >= args.length) return `%!${verb}(MISSING)`;
    const left = wide < 0 ? `-${flags}` : flags;
    return verbText(verb, args[used++], { flags: left, width: Math.abs(wide), precision: precise });
  });
  if (used < args.length)
    text += `%!(EXTRA ${args
      .slice(used)
      .map((value) => `${typeName(value)}=${display(value)}`)
      .join(', ')})`;
  return text;
}

function verbText(verb: string, value: Value, format: Format): string {
  if (verb === 'T') return pad(typeName(value), format);
  const text =
    isList(value) && verb !== 'v' ? listText(verb, value, format) : scalarText(verb, value, format);
  if (text === undefined)
    return `%!${verb}(${value === undefined ? '<nil>' : `${typeName(value)}=${display(value)}`})`;
  return text;
}

function listText(verb: string, list: readonly Value[], format: Format): string {
  return `[${list.map((item) => verbText(verb, item, format)).join(' ')}]`;
}

function scalarText(verb: string, value: Value, format: Format): string | undefined {
  if (verb === 'v' && value === undefined) return pad('<nil>', format);
  if (typeof value === 'number') return floatText(verb, value, format);
  if (typeof value === 'bigint') return integerText(verb, value, format);
  if (typeof value === 'boolean')
    return verb === 'v' || verb === 't' ? pad(String(value), format) : undefined;
  if (value === undefined) return undefined;
  if (isMap(value) && verb !== 'v' && verb !== 's') return undefined;
  return stringText(verb, display(value), format);
}

function floatText(verb: string, value: number, format: Format): string | undefined {
  const { precision } = format;
  let text = special(value);
  const finite = text === undefined;
  if (verb === 'v' || verb === 'g' || verb === 'G') text ??= formatG(value, precision);
  else if (verb === 'f' || verb === 'F') text ??= formatF(value, precision ?? 6);
  else if (verb === 'e' || verb === 'E') text ??= formatE(value, precision ?? 6);
  else return undefined;
  if (finite && (verb === 'G' || verb === 'E')) text = text.toUpperCase();
  return padNumber(text, format, finite);
}

const BASES: Readonly<Record<string, number>> = { v: 10, d: 10, b: 2, o: 8, x: 16, X: 16 };

function integerText(verb: string, value: bigint, format: Format): string | undefined {
  if (verb === 'c') return pad(String.fromCodePoint(Number(value)), format);
  if (verb === 'q') return pad(`'${String.fromCodePoint(Number(value))}'`, format);
  const base = BASES[verb];
  if (base === undefined) return undefined;
  let digits = (value < 0n ? -value : value).toString(base);
  if (format.precision !== undefined) digits = digits.padStart(format.precision, '0');
  if (format.flags.includes('#') && base === 16) digits = `0x${digits}`;
  if (verb === 'X') digits = digits.toUpperCase();
  return padNumber((value < 0n ? '-' : '') + digits, format, format.precision === undefined);
}

function stringText(verb: string, value: string, format: Format): string | undefined {
  const cut = format.precision === undefined ? value : [...value].slice(0, format.precision).join('');
  if (verb === 'v' || verb === 's') return pad(cut, format);
  if (verb === 'q') return pad(quote(cut), format);
  if (verb !== 'x' && verb !== 'X') return undefined;
  const hex = Buffer.from(cut).toString('hex');
  return pad(verb === 'X' ? hex.toUpperCase() : hex, format);
}

/** A Go string literal. */
export function quote(text: string): string {
  return JSON.stringify(text)
    .replace(/\\u00(0[7b])/g, (_, code) => (code === '07' ? '\\a' : '\\v'))
    .replace(/\\u00([01][0-9a-f])/g, '\\x$1');
}

function padNumber(text: string, format: Format, zeros: boolean): string {
  const { flags, width } = format;
  let signed = text;
  if (/^\d|^NaN/.test(text)) signed = (flags.includes('+') ? '+' : flags.includes(' ') ? ' ' : '') + text;
  if (!zeros || !flags.includes('0') || flags.includes('-')) return pad(signed, format);
  const sign = /^[-+ ]/.test(signed) ? signed[0]! : '';
  return sign + signed.slice(sign.length).padStart(width - sign.length, '0');
}

function pad(text: string, { flags, width }: Format): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  return (flags.includes('0') ? '0' : ' ').repeat(missing) + text;
}
