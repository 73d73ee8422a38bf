import { SIMPLE_ESCAPES } from '../../promql/strings.ts';
import { TemplateSyntaxError } from './syntax.ts';

export type TokenKind =
  | 'text'
  | 'open'
  | 'close'
  | 'word'
  | 'field'
  | 'variable'
  | 'number'
  | 'string'
  | 'mark'
  | 'end';

export interface Token {
  readonly kind: TokenKind;
  /** Decoded: the characters of a string, a field without its dot. */
  readonly text: string;
  readonly at: number;
  /** White space stands before it, so that it begins a new argument. */
  readonly spaced: boolean;
}

const IN_ACTION =
  /(?<word>[\p{L}_][\p{L}\p{Nd}_]*)|(?<field>\.[\p{L}_][\p{L}\p{Nd}_]*)|(?<variable>\$[\p{L}\p{Nd}_]*)|(?<number>[+-]?(?:0[xX][0-9a-fA-F_]+|(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?))|(?<quoted>"(?:[^"\\\n]|\\.)*")|(?<raw>`[^`]*`)|(?<rune>'(?:[^'\\\n]|\\.)+')|(?<mark>:=|[|()=,.])/uy;

/** Cuts a template into text and the tokens of its actions, `{{-` and `-}}` applied (source: Go text/template/parse). */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  let trimNext = false;
  for (;;) {
    const open = text.indexOf('{{', at);
    const trimLeft = open >= 0 && /^-\s/.test(text.slice(open + 2, open + 4));
    let plain = text.slice(at, open < 0 ? undefined : open);
    if (trimNext) plain = plain.trimStart();
    if (trimLeft) plain = plain.trimEnd();
    if (plain !== '') tokens.push({ kind: 'text', text: plain, at, spaced: false });
    if (open < 0) break;
    const end = action(text, open, open + (trimLeft ? 3 : 2), tokens);
    trimNext = end.trim;
    at = end.at;
  }
  tokens.push({ kind: 'end', text: '', at: text.length, spaced: false });
  return tokens;
}

function action(text: string, open: number, start: number, tokens: Token[]): { at: number; trim: boolean } {
  const comment = /\s*\/\*[\s\S]*?\*\//y;
  comment.lastIndex = start;
  const isComment = comment.test(text);
  let at = isComment ? comment.lastIndex : start;
  if (!isComment) tokens.push({ kind: 'open', text: '{{', at: open, spaced: false });
  for (;;) {
    const from = at;
    while (/\s/.test(text[at] ?? '')) at++;
    const spaced = at > from;
    const trim = spaced && text.startsWith('-}}', at);
    if (trim || text.startsWith('}}', at)) {
      if (!isComment) tokens.push({ kind: 'close', text: '}}', at, spaced });
      return { at: at + (trim ? 3 : 2), trim };
    }
    if (at >= text.length)
      throw new TemplateSyntaxError(isComment ? 'unclosed comment' : 'unclosed action', open);
    if (isComment) throw new TemplateSyntaxError('comment ends before closing delimiter', at);
    const token = oneToken(text, at, spaced);
    tokens.push(token.token);
    at = token.end;
  }
}

function oneToken(text: string, at: number, spaced: boolean): { token: Token; end: number } {
  IN_ACTION.lastIndex = at;
  const groups = IN_ACTION.exec(text)?.groups;
  if (groups === undefined) {
    const bad = String.fromCodePoint(text.codePointAt(at) ?? 0);
    const unclosed = bad === '"' || bad === '`' || bad === "'";
    throw new TemplateSyntaxError(
      unclosed ? 'unterminated quoted string' : `unexpected ${JSON.stringify(bad)} in action`,
      at,
    );
  }
  const end = IN_ACTION.lastIndex;
  const token = (kind: TokenKind, value: string) => ({ token: { kind, text: value, at, spaced }, end });
  const { word, field, variable, number, quoted, raw, rune } = groups;
  if (word !== undefined) return token('word', word);
  if (field !== undefined) return token('field', field.slice(1));
  if (variable !== undefined) return token('variable', variable);
  if (number !== undefined) return token('number', number);
  if (quoted !== undefined) return token('string', decodeEscapes(quoted.slice(1, -1), at));
  if (raw !== undefined) return token('string', raw.slice(1, -1));
  if (rune !== undefined)
    return token('number', String(decodeEscapes(rune.slice(1, -1), at).codePointAt(0) ?? 0));
  return token('mark', groups.mark ?? '');
}

/** The escapes of a Go string; octal and hex ones as code points. */
function decodeEscapes(body: string, at: number): string {
  return body.replace(
    /\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)/gs,
    (_, code: string) => {
      const simple = code.length === 1 ? SIMPLE_ESCAPES[code] : undefined;
      if (simple !== undefined) return simple;
      const point = /^[0-7]/.test(code) ? Number.parseInt(code, 8) : Number.parseInt(code.slice(1), 16);
      if (code.length < 3 || point > 0x10ffff)
        throw new TemplateSyntaxError(`bad escape "\\${code}" in a string`, at);
      return String.fromCodePoint(point);
    },
  );
}
