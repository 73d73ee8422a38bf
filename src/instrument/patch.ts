import { TaskwardenError } from '../model/errors.ts';

/** Marks what we have replaced, on the replacement itself: a second copy of Taskwarden sees it, too. */
const PATCHED = Symbol.for('taskwarden.patched');

type Method = (this: unknown, ...args: unknown[]) => unknown;

/**
 * The one place that replaces functions. The replacement keeps name, arity and properties; the original comes back with the function
 * that is returned.
 *
 * @throws TaskwardenError (TASKWARDEN_PATCH) when there is no such method, or it is replaced already
 */
export function replaceMethod<T extends object>(
  target: T,
  name: string,
  wrap: (original: Method) => Method,
): () => void {
  const holder = target as Record<string, unknown>;
  const original = holder[name];
  if (typeof original !== 'function') {
    throw new TaskwardenError('TASKWARDEN_PATCH', `there is no method ${name} to instrument`);
  }
  const own = Object.getOwnPropertyDescriptor(holder, name);
  // What is replaced further up the prototype chain does not keep an object from a replacement of its own.
  if (own !== undefined && PATCHED in original) {
    throw new TaskwardenError('TASKWARDEN_PATCH', `${name} is instrumented by another copy of taskwarden`);
  }
  const replacement = wrap(original as Method);
  Object.defineProperty(replacement, 'name', { value: original.name, configurable: true });
  Object.defineProperty(replacement, 'length', { value: original.length, configurable: true });
  Object.defineProperty(replacement, PATCHED, { value: true });
  // Such as `util.promisify.custom`.
  for (const key of Reflect.ownKeys(original))
    if (!(key in replacement))
      Object.defineProperty(replacement, key, Object.getOwnPropertyDescriptor(original, key)!);
  Object.defineProperty(holder, name, {
    value: replacement,
    writable: true,
    configurable: true,
    enumerable: own?.enumerable ?? false,
  });
  return () => {
    if (holder[name] !== replacement) return;
    if (own === undefined) delete holder[name];
    else Object.defineProperty(holder, name, own);
  };
}
