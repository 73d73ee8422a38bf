import type { Labels } from '../../model/labels.ts';
import type { Sample } from '../../model/queryable.ts';
import { parseRuleDuration } from '../duration.ts';
import { compareValues, equalValues } from './compare.ts';
import {
  humanize,
  humanize1024,
  humanizeDuration,
  humanizePercentage,
  humanizeTimestamp,
  timeText,
  toFloat,
} from './humanize.ts';
import { quote, sprintf } from './printf.ts';
import { replaceAll, searchMatches } from './regexp.ts';
import {
  display,
  type GoMap,
  type GoStruct,
  isList,
  isMap,
  isStruct,
  isTrue,
  TemplateExecError,
  typeName,
  type Value,
} from './values.ts';

/** What a template may ask of its surroundings. */
export interface TemplateEnvironment {
  /** The evaluation time, ms since the Unix epoch. */
  readonly now: number;
  readonly externalUrl: string;
  /** Runs an instant query at the evaluation time. @throws whatever is wrong with it */
  readonly query: (expr: string) => readonly Sample[];
}

export interface TemplateFunction {
  /** One letter an argument: s text, f number, v query result, a anything; a trailing `*` repeats the last. */
  readonly takes: string;
  readonly call: (args: readonly Value[], environment: TemplateEnvironment) => Value;
}

const define = (takes: string, call: TemplateFunction['call']): TemplateFunction => ({ takes, call });
const text = (call: (text: string) => Value) => define('s', ([value]) => call(value as string));
const number = (call: (value: number) => Value) => define('a', ([value]) => call(toFloat(value)));

/** Prometheus's functions and Go's own. `and` and `or` stop early and are the executor's business. */
export const FUNCTIONS: Readonly<Record<string, TemplateFunction>> = Object.assign(Object.create(null), {
  query: define('s', ([expr], environment) => environment.query(expr as string).map(sampleStruct)),
  first: define('v', ([vector]) => firstOf(vector as readonly Value[])),
  label: define('sa', ([name, sample]) => labelOf(sample, name as string)),
  value: define('a', ([sample]) => sampleOf(sample).fields.get('Value')),
  strvalue: define('a', ([sample]) => labelOf(sample, '__value__')),
  sortByLabel: define('sv', ([name, vector]) => sortByLabel(name as string, vector as readonly Value[])),
  args: define('a*', (args) => new Map(args.map((value, at) => [`arg${at}`, value]))),
  reReplaceAll: define('sss', ([pattern, by, subject]) =>
    replaceAll(pattern as string, by as string, subject as string),
  ),
  match: define('ss', ([pattern, subject]) => searchMatches(pattern as string, subject as string)),
  safeHtml: text((value) => value),
  title: text((value) =>
    value.replace(/(^|[^\p{L}\p{N}_'])(\p{L})/gu, (_, before, letter) => before + letter.toUpperCase()),
  ),
  toUpper: text((value) => value.toUpperCase()),
  toLower: text((value) => value.toLowerCase()),
  graphLink: text((expr) => `/graph?g0.expr=${queryEscape(expr)}&g0.tab=0`),
  tableLink: text((expr) => `/graph?g0.expr=${queryEscape(expr)}&g0.tab=1`),
  stripPort: text((host) => /^(?:\[([^\]]*)\]|([^:]*)):\d*$/.exec(host)?.slice(1).find(Boolean) ?? host),
  stripDomain: text(stripDomain),
  humanize: number(humanize),
  humanize1024: number(humanize1024),
  humanizeDuration: number(humanizeDuration),
  humanizePercentage: number(humanizePercentage),
  humanizeTimestamp: number(humanizeTimestamp),
  toTime: number((value) => ({ type: '*time.Time', text: timeText(value) })),
  toDuration: number((value) => ({ type: '*time.Duration', text: goDuration(value) })),
  now: define('', (_, environment) => environment.now / 1000),
  pathPrefix: define('', (_, environment) => new URL(environment.externalUrl).pathname),
  externalURL: define('', (_, environment) => environment.externalUrl),
  parseDuration: text(durationSeconds),
  urlQueryEscape: text(queryEscape),
  // Go's own
  print: define('a*', printText),
  println: define('a*', (args) => `${args.map(display).join(' ')}\n`),
  printf: define('sa*', ([format, ...args]) => sprintf(format as string, args)),
  len: define('a', ([value]) => lengthOf(value)),
  index: define('aa*', ([value, ...keys]) => keys.reduce<Value>(indexOf, value)),
  slice: define('aa*', ([value, ...bounds]) => sliceOf(value, bounds)),
  not: define('a', ([value]) => !isTrue(value)),
  eq: define('aaa*', ([first, ...others]) => others.some((other) => equalValues(first, other))),
  ne: define('aa', ([a, b]) => !equalValues(a, b)),
  lt: define('aa', ([a, b]) => compareValues(a, b) < 0),
  le: define('aa', ([a, b]) => compareValues(a, b) <= 0),
  gt: define('aa', ([a, b]) => compareValues(a, b) > 0),
  ge: define('aa', ([a, b]) => compareValues(a, b) >= 0),
  html: define('a*', (args) => escapeHtml(printText(args))),
  js: define('a*', (args) => quote(printText(args)).slice(1, -1).replaceAll("'", "\\'")),
  urlquery: define('a*', (args) => queryEscape(printText(args))),
});

/** Fields of a query result, as Prometheus names them. */
function sampleStruct(sample: Sample): GoStruct {
  const fields = new Map<string, Value>([
    ['Labels', labelMap(sample.labels)],
    ['Value', sample.value],
  ]);
  return { type: 'template.sample', fields };
}

export function labelMap(labels: Labels): GoMap {
  return new Map(Object.entries(labels));
}

function sampleOf(value: Value): GoStruct {
  if (!isStruct(value) || !value.fields.has('Value'))
    throw new TemplateExecError(`wrong type for value; expected a sample of a query; got ${typeName(value)}`);
  return value;
}

function labelOf(sample: Value, name: string): Value {
  const labels = sampleOf(sample).fields.get('Labels');
  return isMap(labels) ? (labels.get(name) ?? '') : '';
}

function firstOf(vector: readonly Value[]): Value {
  if (vector.length === 0) throw new TemplateExecError('first() called on vector with no elements');
  return vector[0];
}

function sortByLabel(name: string, vector: readonly Value[]): Value {
  const key = (sample: Value) => labelOf(sample, name) as string;
  return vector.toSorted((a, b) => (key(a) < key(b) ? -1 : Number(key(a) > key(b))));
}

function queryEscape(value: string): string {
  return encodeURIComponent(value)
    .replace(/%20/g, '+')
    .replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
}

function stripDomain(hostPort: string): string {
  const [, host = hostPort, port = ''] = /^(.*?)(:\d+)?$/.exec(hostPort) ?? [];
  const isAddress = /^[\d.]+$/.test(host) || host.includes(':');
  return isAddress ? hostPort : host.split('.')[0] + port;
}

function durationSeconds(value: string): number {
  const ms = parseRuleDuration(value);
  if (ms === undefined) throw new TemplateExecError(`not a valid duration string: ${quote(value)}`);
  return ms / 1000;
}

/** Seconds as Go prints a duration: `1h2m3.5s`. */
function goDuration(seconds: number): string {
  const sign = seconds < 0 ? '-' : '';
  const total = Math.abs(seconds);
  if (total === 0) return '0s';
  for (const [unit, scale] of [
    ['ns', 1e-9],
    ['µs', 1e-6],
    ['ms', 1e-3],
  ] as const)
    if (total < scale * 1000 && total < 1) return `${sign}${Number((total / scale).toPrecision(9))}${unit}`;
  const hours = Math.trunc(total / 3600);
  const minutes = Math.trunc(total / 60) % 60;
  const rest = `${Number((total % 60).toFixed(9))}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${rest}`;
  return minutes > 0 ? `${sign}${minutes}m${rest}` : `${sign}${rest}`;
}

/** Go puts a space only between two operands that are not texts. */
function printText(args: readonly Value[]): string {
  return args.reduce<string>((out, value, at) => {
    const apart = at > 0 && typeof value !== 'string' && typeof args[at - 1] !== 'string';
    return out + (apart ? ' ' : '') + display(value);
  }, '');
}

function escapeHtml(value: string): string {
  const names: Record<string, string> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&#34;',
    "'": '&#39;',
  };
  return value.replace(/[&<>"']/g, (character) => names[character]!);
}

function lengthOf(value: Value): bigint {
  if (typeof value === 'string') return BigInt(Buffer.byteLength(value));
  if (isMap(value)) return BigInt(value.size);
  if (isList(value)) return BigInt(value.length);
  throw new TemplateExecError(`len of type ${typeName(value)}`);
}

function indexOf(value: Value, key: Value): Value {
  if (isMap(value) && typeof key === 'string') return value.get(key) ?? '';
  if ((isList(value) || typeof value === 'string') && typeof key === 'bigint') {
    const items = typeof value === 'string' ? [...Buffer.from(value)].map(BigInt) : value;
    if (key >= 0n && key < items.length) return items[Number(key)];
    throw new TemplateExecError(`index out of range: ${key}`);
  }
  throw new TemplateExecError(`can't index item of type ${typeName(value)} with ${typeName(key)}`);
}

function sliceOf(value: Value, bounds: readonly Value[]): Value {
  if (typeof value !== 'string' && !isList(value))
    throw new TemplateExecError(`can't slice item of type ${typeName(value)}`);
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  const [from = 0n, to = BigInt(bytes.length)] = bounds;
  if (typeof from !== 'bigint' || typeof to !== 'bigint' || from < 0n || to > bytes.length || from > to)
    throw new TemplateExecError(`slice bounds out of range: ${display(from)}:${display(to)}`);
  const cut = bytes.slice(Number(from), Number(to));
  return Buffer.isBuffer(cut) ? cut.toString() : (cut as readonly Value[]);
}
