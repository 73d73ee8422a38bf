import type { Scalar } from 'yaml';

/**
 * Where character `offset` of a decoded YAML scalar stands in the file's text.
 *
 * Folding, indentation and line breaks only ever change white space, so the other characters are counted off against
 * each other, escapes decoded. White space and the end map to just behind the character before them.
 */
export function scalarOffset(scalar: Scalar, text: string, offset: number): number {
  const start = scalar.range?.[0] ?? 0;
  const end = scalar.range?.[1] ?? start;
  const decoded = String(scalar.value);
  const onBlank = offset >= decoded.length || isBlank(decoded[offset]);
  const wanted = countVisible(decoded.slice(0, offset)) - (onBlank ? 1 : 0);
  let last = start;
  let seen = 0;
  for (const [at, width] of visibleCharacters(scalar, text, start, end)) {
    last = at + width;
    if (seen++ === wanted) return onBlank ? last : at;
  }
  return last;
}

/** Offset and width in the file of each character that is not white space once decoded. */
function* visibleCharacters(
  scalar: Scalar,
  text: string,
  start: number,
  end: number,
): Generator<[number, number]> {
  const quote = scalar.type === 'QUOTE_DOUBLE' ? '"' : scalar.type === 'QUOTE_SINGLE' ? "'" : '';
  let at = start;
  if (quote !== '') at = start + 1;
  else if (scalar.type === 'BLOCK_LITERAL' || scalar.type === 'BLOCK_FOLDED')
    at = text.indexOf('\n', start) + 1;
  const stop = quote === '' ? end : end - 1;
  while (at < stop) {
    const width = unitWidth(text, at, quote);
    const unit = text.slice(at, at + width);
    if (!isBlankUnit(unit)) yield [at, width];
    at += width;
  }
}

const ESCAPE_WIDTHS: Readonly<Record<string, number>> = { x: 4, u: 6, U: 10 };

function unitWidth(text: string, at: number, quote: string): number {
  if (quote === '"' && text[at] === '\\') return ESCAPE_WIDTHS[text[at + 1] ?? ''] ?? 2;
  if (quote === "'" && text[at] === "'") return 2;
  return (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
}

/** Escapes that decode to white space: line feed, tab, space and so on, and an escaped line break (nothing). */
function isBlankUnit(unit: string): boolean {
  if (unit.length === 1) return isBlank(unit);
  if (/^\\[xuU]/.test(unit)) return isBlank(String.fromCodePoint(Number.parseInt(unit.slice(2), 16)));
  return /^\\[ntvfr \t\n\rN_LP]$/.test(unit);
}

function isBlank(character: string | undefined): boolean {
  return character !== undefined && /\s/.test(character);
}

function countVisible(text: string): number {
  let count = 0;
  for (const character of text) if (!isBlank(character)) count++;
  return count;
}
