import type { Figure } from './figure.ts';

const HEADER = ['case', 'metric', 'value', 'spread', 'control', 'goal', 'verdict'] as const;

function cells(figure: Figure): string[] {
  const { value, unit, spread, baseline, goal, ok, noise } = figure;
  const suffix = unit === 'ratio' ? '' : ` ${unit}`;
  const verdict = [
    ok === null ? '' : ok ? 'ok' : 'MISSED',
    noise === true ? 'inside the spread of the control' : '',
  ];
  return [
    figure.case,
    figure.metric,
    value === null ? 'none' : `${value}${suffix}`,
    spread === null ? '' : `${spread[0]} to ${spread[1]}`,
    baseline === null ? '' : String(baseline),
    goal === null ? '' : String(goal),
    verdict.filter((part) => part !== '').join(', '),
  ];
}

/** The figures as a Markdown table, padded so that it reads well on a terminal too. */
export function table(figures: readonly Figure[]): string {
  const rows = [[...HEADER], ...figures.map(cells)];
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n');
}
