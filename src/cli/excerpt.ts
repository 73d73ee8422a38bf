import type { Position } from '../model/errors.ts';

/** Characters of a line that are shown. */
const WIDTH = 110;

/** The line of a text that a position is in, with a caret below the position; empty when the text has no such line. */
export function excerpt(text: string, position: Position | undefined): string {
  const line = position === undefined ? undefined : text.split(/\r?\n/)[position.line - 1];
  if (position === undefined || line === undefined) return '';
  const column = position.column - 1;
  const from = line.length > WIDTH ? Math.max(0, Math.min(column - WIDTH / 2, line.length - WIDTH)) : 0;
  const shown = line.slice(from, from + WIDTH);
  // Tabs stay tabs, so that the caret is where it should be whatever their width.
  const before = shown.slice(0, column - from).replace(/[^\t]/g, ' ');
  return `    ${shown}\n    ${before}^`;
}
