import { children, type Node, type SelectorNode } from '../../promql/ast.ts';

/** A node and all below it, in the order of the text. */
export function* walk(node: Node): Generator<Node> {
  yield node;
  for (const child of children(node)) yield* walk(child);
}

export function selectorsIn(node: Node): SelectorNode[] {
  return [...walk(node)].filter((item): item is SelectorNode => item.kind === 'selector');
}
