import { TemplateExecError, typeName, type Value } from './values.ts';

/** Go's eq: both of one basic kind; an integer and a float do not compare. */
export function equalValues(a: Value, b: Value): boolean {
  sameKind(a, b);
  return a === b;
}

/** Negative, zero or positive; NaN is neither less nor greater. */
export function compareValues(a: Value, b: Value): number {
  sameKind(a, b);
  if (typeof a === 'boolean') throw new TemplateExecError('invalid type for comparison');
  return a! < b! ? -1 : a! > b! ? 1 : a === b ? 0 : Number.NaN;
}

function sameKind(a: Value, b: Value): void {
  for (const value of [a, b])
    if (value === undefined || typeof value === 'object')
      throw new TemplateExecError('invalid type for comparison');
  if (typeof a !== typeof b)
    throw new TemplateExecError(`incompatible types for comparison: ${typeName(a)} and ${typeName(b)}`);
}
