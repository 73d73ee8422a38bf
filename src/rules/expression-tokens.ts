import { Lexer, type Token } from '../promql/lexer.ts';

/** A token with what its tree no longer tells: how the expression was written around it. */
export interface PlacedToken extends Token {
  /** Text of the token before; empty for the first. */
  readonly before: string;
  /** Whether it stands in braces, or in the brackets of a range. */
  readonly inside: 'braces' | 'brackets' | undefined;
  /** Whether it belongs to a duration that is computed: `[5m * 2]`, `offset (5m)`. */
  readonly computed: boolean;
  /** Whether a comment stands in front of it. */
  readonly commented: boolean;
}

/** The tokens of an expression without mistakes, the end included. */
export function* tokensOf(expr: string): Generator<PlacedToken> {
  const lexer = new Lexer(expr);
  let inside: PlacedToken['inside'];
  let [before, end] = ['', 0];
  let afterOffset = false;
  for (;;) {
    const token = lexer.next();
    const { kind, text } = token;
    if (text === '}' || text === ']') inside = undefined;
    const word = kind !== 'number' && kind !== 'duration' && kind !== 'end' && text !== ':';
    const computed = (inside === 'brackets' && word) || (afterOffset && !/^[-+]$/.test(text) && word);
    const commented = expr.slice(end, token.start).includes('#');
    yield { ...token, before, inside, computed, commented };
    if (kind === 'end') return;
    if (text === '{') inside = 'braces';
    if (text === '[') inside = 'brackets';
    afterOffset = kind !== 'string' && (/^offset$/i.test(text) || (afterOffset && /^[-+]$/.test(text)));
    [before, end] = [text, token.end];
  }
}
