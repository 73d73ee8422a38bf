import { children, type Node, type SelectorNode } from '../../promql/ast.ts';

/** A node and all below it, in the order of the text. */
export function walk(node: Node): Node[] {
  const nodes: Node[] = [];
  const visit = (item: Node): void => {
    nodes.push(item);
    for (const child of children(item)) visit(child);
  };
  visit(node);
  return nodes;
}

export function selectorsIn(node: Node): SelectorNode[] {
  return walk(node).filter((item): item is SelectorNode => item.kind === 'selector');
}
