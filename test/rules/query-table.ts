import type { Sample } from '../../src/model/queryable.ts';
import type { Expression } from '../../src/rules/rule.ts';

/** A query that answers from a table, by the expression's text. */
export function queryOf(results: Record<string, Sample[] | Error>) {
  return (expression: Expression): Sample[] => {
    const result = results[(expression as { text: string }).text] ?? [];
    if (result instanceof Error) throw result;
    return result;
  };
}
