import { Lexer } from 'yaml';

/** Tokens of a file at most, about 4,000 rules: the parser takes up to a kilobyte for each. */
const MAX_TOKENS = 200_000;
/** Collections within collections: a rule file has five. */
const MAX_DEPTH = 64;
/** A shorter text can do harm by its brackets alone. */
const SHORT = 10_000;

/**
 * Where a YAML text asks too much of the parser, whose memory and time grow with tokens and, steeply, with depth; undefined where it does
 * not. Only what nests within a line is seen here: deeper by indentation needs a text that grows with the square of the depth.
 */
export function beyondLimits(text: string): { offset: number; message: string } | undefined {
  if (text.length < SHORT && bracketDepth(text) <= MAX_DEPTH) return undefined;
  let offset = 0;
  let tokens = 0;
  let flow = 0;
  let block = 0;
  let isScalar = false;
  for (const token of new Lexer().lex(text)) {
    if (++tokens > MAX_TOKENS) return { offset, message: `more than ${MAX_TOKENS} tokens` };
    // The content of a scalar comes after a mark of the lexer's own.
    if (isScalar) isScalar = false;
    else if (token === '[' || token === '{') flow++;
    else if (token === ']' || token === '}') flow = Math.max(0, flow - 1);
    else if (flow === 0 && (token === '-' || token === '?' || token === ':')) block++;
    else if (token.endsWith('\n')) block = 0;
    if (flow + block > MAX_DEPTH) return { offset, message: `more than ${MAX_DEPTH} levels deep` };
    if (token === '\u001f') isScalar = true;
    else if (token.length > 1 || token >= ' ' || token === '\t' || token === '\n' || token === '\r')
      offset += token.length;
  }
  return undefined;
}

/** At least as deep as its collections, as brackets in texts count as well. */
function bracketDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (const [bracket] of text.matchAll(/[[\]{}]/g)) {
    depth = bracket === '[' || bracket === '{' ? depth + 1 : Math.max(0, depth - 1);
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}
