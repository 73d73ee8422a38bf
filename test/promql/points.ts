import type { Labels } from '../../src/model/labels.ts';

/** `undefined` = no sample. */
export type Point = number | 'stale' | undefined;

export interface SeriesPoints {
  readonly labels: Labels;
  readonly points: Point[];
}

/** What a script may contain that this engine has no notion of. */
export class Unsupported extends Error {}

/** A line such as `name{a="b"} 1 2+1x3 _ stale` (promtool's notation of series). */
export function parseSeries(line: string): SeriesPoints {
  if (line.includes('{{')) throw new Unsupported('native histogram');
  if (/^\S*@st\b|\}@st\b/.test(line)) throw new Unsupported('start timestamps');
  const match = /^([^\s{]*)\s*(\{.*?\})?\s+(.*)$/.exec(line) ?? fail(line);
  const brace = line.indexOf('{');
  const [, name = ''] = match;
  if (brace < 0 || brace > name.length + 1)
    return { labels: named(name, {}), points: parsePoints(match[3] ?? '') };
  const end = closingBrace(line, brace);
  const labels = named(name, parseLabels(line.slice(brace + 1, end)));
  return { labels, points: parsePoints(line.slice(end + 1).trim()) };
}

function named(name: string, labels: Record<string, string>): Labels {
  return name === '' ? labels : { __name__: name, ...labels };
}

function closingBrace(line: string, from: number): number {
  let quoted = '';
  for (let at = from; at < line.length; at++) {
    const char = line[at]!;
    if (char === '\\') at++;
    else if (quoted !== '') quoted = char === quoted ? '' : quoted;
    else if (char === '"' || char === "'" || char === '`') quoted = char;
    else if (char === '}') return at;
  }
  return fail(line);
}

function parseLabels(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  const pair = /\s*("(?:[^"\\]|\\.)*"|[^\s="{},]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|'[^']*'|`[^`]*`))?\s*(?:,|$)/y;
  while (pair.lastIndex < text.trimEnd().length) {
    const [, name = '', value] = pair.exec(text) ?? fail(text);
    if (value === undefined) labels.__name__ = unquoted(name);
    else labels[unquoted(name)] = unquoted(value);
  }
  return labels;
}

function unquoted(text: string): string {
  if (text.startsWith('"')) return JSON.parse(text.replace(/\\x([0-9a-fA-F]{2})/g, '\\u00$1'));
  return /^['`]/.test(text) ? text.slice(1, -1) : text;
}

function parsePoints(text: string): Point[] {
  return text
    .split(/\s+/)
    .filter((token) => token !== '')
    .flatMap(parsePoint);
}

function parsePoint(token: string): Point[] {
  const [, base = '', step, times] =
    /^(.+?)(?:([+-][^x+-][^x]*))?(?:x(\d+))?$/.exec(tagged(token)) ?? fail(token);
  const count = times === undefined ? 0 : Number(times);
  if (base === '_') return Array.from({ length: times === undefined ? 1 : count }, () => undefined);
  if (base === 'stale') return ['stale'];
  const start = number(base);
  if (step === undefined) return Array.from({ length: count + 1 }, () => start);
  const delta = number(step);
  return Array.from({ length: count + 1 }, (_, at) => start + delta * at);
}

/** Exponents would be taken for the sign of a step. */
function tagged(token: string): string {
  return token.replace(
    /([\d.])[eE]([+-]?)(\d)/g,
    (_, digit, sign, first) => `${digit}${sign === '-' ? 'ε' : 'e'}${first}`,
  );
}

function number(text: string): number {
  const plain = text.replace('ε', 'e-').replace(/^\+/, '');
  if (/^-?inf$/i.test(plain)) return plain.startsWith('-') ? -Infinity : Infinity;
  if (/^-?nan$/i.test(plain)) return Number.NaN;
  const value = Number(plain);
  return Number.isNaN(value) ? fail(text) : value;
}

function fail(text: string): never {
  throw new Error(`cannot read series: ${text}`);
}
