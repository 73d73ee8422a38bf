import type { Attributes, AttributeValue } from '@opentelemetry/api';

/** Whether the API allows a value: a string, number or boolean, or an array of one of these in which elements may be missing. */
export function isAttributeValue(value: unknown): value is AttributeValue {
  if (!Array.isArray(value)) return isPrimitive(value);
  const present = value.filter((element) => element !== null && element !== undefined);
  return present.every((element) => isPrimitive(element) && typeof element === typeof present[0]);
}

function isPrimitive(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
}

/** A copy with what the API allows, at most `limit` attributes of it. */
export function validAttributes(attributes: Attributes | undefined, limit: number): Attributes {
  const valid: Attributes = {};
  if (typeof attributes !== 'object' || attributes === null) return valid;
  let count = 0;
  for (const [key, value] of Object.entries(attributes)) {
    if (key === '' || !isAttributeValue(value)) continue;
    if (count++ === limit) break;
    valid[key] = value;
  }
  return valid;
}
