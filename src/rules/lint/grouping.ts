import type { Node } from '../../promql/ast.ts';
import type { LintedRule } from './context.ts';
import { metricOf } from './result-labels.ts';
import { selectorsIn, walk } from './walk.ts';

/** Behind a collector series have more labels than in the agent, and what is not named then takes part. */
export function lintGrouping({ node, series, report, at }: LintedRule): void {
  const ours = (item: Node) => selectorsIn(item).some((selector) => series.isOurs(metricOf(selector) ?? ''));
  const tell = (offset: number, word: string, instead: string) =>
    report(
      'grouping',
      `"${word}" goes by labels that only a collector may add: name those that count, with "${instead}"`,
      at(offset),
    );
  for (const item of walk(node)) {
    if (item.kind === 'aggregate' && item.without && ours(item)) tell(item.start, 'without', 'by');
    if (item.kind !== 'binary') continue;
    const { on, labels, card } = item.matching;
    if (!on && (labels.length > 0 || card !== 'one-to-one') && ours(item))
      tell(item.operator.start, 'ignoring', 'on');
  }
}
