import { TaskwardenError } from '../../src/model/errors.ts';
import type { Sample } from '../../src/model/queryable.ts';
import type { Compile, Expression } from '../../src/rules/rule.ts';

/** Stands for PromQL: an expression is just its text, and a `§` in it is where it is broken. */
export const compile: Compile = (expr) => {
  const offset = expr.indexOf('§');
  if (offset < 0) return { expr };
  const before = expr.slice(0, offset).split('\n');
  const position = { line: before.length, column: before.at(-1)!.length + 1 };
  throw new TaskwardenError('TASKWARDEN_PROMQL', 'parse error: unexpected "§"', { position });
};

/** A query that answers from a table by the expression's text. */
export function queryOf(results: Record<string, Sample[] | Error>) {
  return (expression: Expression): Sample[] => {
    const result = results[(expression as { expr: string }).expr] ?? [];
    if (result instanceof Error) throw result;
    return result;
  };
}
