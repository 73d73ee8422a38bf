/** What a quoted PromQL string means; `raw` includes the quotes. Escapes are Go's; between backticks there are none. */
export function unquote(raw: string): string {
  const body = raw.slice(1, -1);
  if (raw.startsWith('`') || !body.includes('\\')) return body;
  const bytes: number[] = [];
  let text = '';
  for (let at = 0; at < body.length; ) {
    if (body[at] !== '\\') {
      text += flush(bytes) + body[at];
      at++;
      continue;
    }
    const sequence = readEscape(body, at)!;
    if (sequence.byte !== undefined) bytes.push(sequence.byte);
    else text += flush(bytes) + sequence.text;
    at += sequence.length;
  }
  return text + flush(bytes);
}

/** Byte escapes (`\xe2`, `\342`) may together spell one UTF-8 character. */
function flush(bytes: number[]): string {
  return bytes.length === 0 ? '' : Buffer.from(bytes.splice(0)).toString('utf8');
}

interface Escape {
  /** Characters of the source, the backslash included. */
  readonly length: number;
  readonly text: string;
  readonly byte?: number;
}

/** The one-letter escapes of a Go string. */
export const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  '\\': '\\',
  "'": "'",
  '"': '"',
};

const DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** The escape sequence at a backslash; undefined when Go has none of that form. */
export function readEscape(text: string, at: number): Escape | undefined {
  const kind = text[at + 1] ?? '';
  const simple = SIMPLE_ESCAPES[kind];
  if (simple !== undefined) return { length: 2, text: simple };
  if (/[0-7]/.test(kind)) {
    const octal = /^[0-3][0-7]{2}/.exec(text.slice(at + 1, at + 4));
    return octal === null ? undefined : { length: 4, text: '', byte: Number.parseInt(octal[0], 8) };
  }
  const count = DIGITS[kind];
  if (count === undefined) return undefined;
  const digits = text.slice(at + 2, at + 2 + count);
  if (digits.length < count || !/^[0-9a-fA-F]+$/.test(digits)) return undefined;
  const code = Number.parseInt(digits, 16);
  if (kind === 'x') return { length: 4, text: '', byte: code };
  if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
  return { length: 2 + count, text: String.fromCodePoint(code) };
}

/** The short escapes of Go in the order of their characters' codes, from 7. */
const SHORT_ESCAPES = ['a', 'b', 't', 'n', 'v', 'f', 'r'];

/** A text in double quotes as Go's strconv.Quote writes it. */
export function quoteGo(text: string): string {
  const body = text.replace(/["\\]|[\p{C}\p{Zl}\p{Zp}\p{Zs}]/gu, (character) => {
    const code = character.codePointAt(0)!;
    if (character === ' ') return character;
    if (character === '"' || character === '\\') return `\\${character}`;
    const short = SHORT_ESCAPES[code - 7];
    if (short !== undefined) return `\\${short}`;
    const hex = code.toString(16);
    if (code < 0x80) return `\\x${hex.padStart(2, '0')}`;
    return code > 0xffff ? `\\U${hex.padStart(8, '0')}` : `\\u${hex.padStart(4, '0')}`;
  });
  return `"${body}"`;
}
