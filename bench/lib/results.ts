import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Figure } from './figure.ts';
import { machine } from './machine.ts';
import { table } from './table.ts';

const TITLE = `# Benchmark results

Written by \`npm run bench -- NAME --write\`. Ratios and differences are against the bare worker of the same round; the
value is the median of the rounds, the spread their 10th and 90th percentile. The control is the bare worker measured a second time:
a figure inside its spread is no finding.
`;

/** One bench's section: machine, Node version, date, notes and the table. */
export function section(
  bench: string,
  figures: readonly Figure[],
  notes: readonly string[],
  at: Date,
): string {
  const node = figures[0]?.node ?? process.versions.node;
  const head = `${machine()}; Node ${node}; ${at.toISOString().slice(0, 10)}.`;
  return `## ${bench}\n\n${[head, ...notes.filter((note) => note !== '')].join(' ')}\n\n${table(figures)}\n`;
}

/**
 * Puts `text`, a section that starts with `## bench`, in the place of the old section of that name, or at the end. All of a bench takes
 * the place of its sections of single cases, too: `## bench: case, case`.
 */
export function replaceSection(document: string, bench: string, text: string): string {
  const parts = document.split(/^(?=## )/m).filter((part) => !part.startsWith(`## ${bench}: `));
  const at = parts.findIndex((part) => part.startsWith(`## ${bench}\n`));
  if (at === -1) parts.push(text);
  else parts[at] = text;
  return `${parts.map((part) => part.trim()).join('\n\n')}\n`;
}

export function writeSection(path: string, bench: string, text: string): void {
  const document = existsSync(path) ? readFileSync(path, 'utf8') : TITLE;
  writeFileSync(path, replaceSection(document, bench, text));
}
