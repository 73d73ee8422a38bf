import { suggestion } from '../../config/suggest.ts';
import type { Position } from '../../model/errors.ts';
import type { Node } from '../../promql/ast.ts';
import type { LintedRule } from './context.ts';
import { type LabelSet, metricOf, resultLabels } from './result-labels.ts';
import { walk } from './walk.ts';

/** Labels that a matcher, a grouping or a template asks for and that cannot be there. */
export function lintLabels({ file, node, rule, series, report, at }: LintedRule): void {
  const expect = (labels: LabelSet, names: readonly string[], what: string, place: () => Position) => {
    for (const name of names) {
      if (labels === undefined || labels.has(name) || name === '__name__') continue;
      report('unknown-label', `${what} has no label "${name}"${suggestion(name, [...labels])}`, place());
    }
  };
  const labelsOf = (item: Node) => resultLabels(item, series);
  for (const item of walk(node)) {
    if (item.kind === 'selector') {
      const names = item.matchers.map(({ name }) => name);
      expect(labelsOf(item), names, `"${metricOf(item)}"`, () => at(item.start));
    } else if (item.kind === 'aggregate' && !item.without) {
      expect(labelsOf(item.expr), item.labels, `what "${item.op}" takes together`, () => at(item.start));
    } else if (item.kind === 'binary') {
      const { on, labels, card, include } = item.matching;
      const [left, right] = [labelsOf(item.left), labelsOf(item.right)];
      const place = () => at(item.operator.start);
      const many = card === 'one-to-many' ? 'right' : 'left';
      if (on) expect(left, labels, `the left side of "${item.op}"`, place);
      if (on) expect(right, labels, `the right side of "${item.op}"`, place);
      expect(many === 'left' ? right : left, include, `the "one" side of "${item.op}"`, place);
    }
  }
  const result = labelsOf(node);
  const texts = rule.kind === 'alert' ? [...rule.labels, ...rule.annotations] : [];
  for (const { text, node: scalar } of texts) {
    for (const { 1: name = '', index } of text.matchAll(/\$labels\.(\w+)/g)) {
      const place = () => file.reader.positionInside(scalar, index);
      expect(result, [name], 'the result of the expression', place);
    }
  }
}
