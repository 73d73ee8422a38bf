/**
 * About how many instructions a regular expression makes: one for each character or class, times its repetitions. What
 * is malformed gets some number too; the compiler will tell.
 */
export function regexSize(pattern: string): number {
  /** Sizes of what is open: before the last operand, and the operand itself. */
  const outer: { before: number; last: number }[] = [];
  let before = 0;
  let last = 0;
  for (const [token] of pattern.matchAll(TOKEN)) {
    if (token === '(' || token.startsWith('(?')) {
      outer.push({ before, last });
      [before, last] = [0, 0];
    } else if (token === ')') {
      const group = before + last + 2;
      const around = outer.pop() ?? { before: 0, last: 0 };
      [before, last] = [around.before + around.last, group];
    } else if (REPEAT.test(token)) {
      const [, least, most] = REPEAT.exec(token) ?? [];
      last *= Math.max(1, Number(most || least));
    } else if (!/^[*+?]$/.test(token)) {
      [before, last] = [before + last, token.startsWith('\\Q') ? token.length : 1];
    }
  }
  return outer.reduce((sum, open) => sum + open.before + open.last + 2, before + last);
}

/** Escapes, classes with what they may hold, groups with flags or a name, repetitions, and any other character. */
const TOKEN =
  /\\[pP](?:\{[^}]*\}|[A-Z])|\\Q[\s\S]*?(?:\\E|$)|\\[\s\S]|\[\^?\]?(?:\\[\s\S]|\[:\^?\w+:\]|[^\]\\])*\]?|\(\?(?:P?<\w+>|[a-zA-Z-]*:?)|\{\d+(?:,\d*)?\}|[\s\S]/gu;
const REPEAT = /^\{(\d+)(?:,(\d*))?\}$/;
