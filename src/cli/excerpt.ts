import type { Position } from '../model/errors.ts';

/** Characters of a line that are shown. */
const WIDTH = 110;

/** Shows positions of a text: the line they are in, with a caret below; empty where the text has no such line. */
export function excerpts(text: string): (position: Position | undefined) => string {
  let lines: string[] | undefined;
  return (position) => {
    lines ??= text.split(/\r?\n/);
    const line = position === undefined ? undefined : lines[position.line - 1];
    return position === undefined || line === undefined ? '' : pointInto(line, position.column - 1);
  };
}

function pointInto(line: string, column: number): string {
  const from = line.length > WIDTH ? Math.max(0, Math.min(column - WIDTH / 2, line.length - WIDTH)) : 0;
  const shown = line.slice(from, from + WIDTH);
  // Tabs stay tabs, so that the caret is where it should be whatever their width.
  const before = shown.slice(0, column - from).replace(/[^\t]/g, ' ');
  return `    ${shown}\n    ${before}^`;
}
