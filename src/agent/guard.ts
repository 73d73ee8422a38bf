import type { Registry } from '../store/registry.ts';
import { NoStateFolder } from './state-files.ts';
import { createTelling } from './telling.ts';

/**
 * Runs a part of the agent: what it throws, or rejects with, is caught, counted, and told once an hour a part. That there is no state
 * folder is no fault, and told for all parts at once.
 */
export interface Guard {
  <T>(part: string, run: () => Promise<T>): Promise<T | undefined> | undefined;
  <T>(part: string, run: () => T): T | undefined;
}

export function createGuard(registry: Registry, warn: (text: string) => void, now?: () => number): Guard {
  const isToTell = createTelling(now);
  const fault = (part: string, error: unknown): undefined => {
    if (error instanceof NoStateFolder) {
      if (isToTell('state folder')) warn(error.message);
      return;
    }
    registry.add('taskwarden.errors', { part }, 1);
    if (isToTell(part))
      warn(
        `fault in ${part}, jobs are not affected: ${error instanceof Error ? error.stack : String(error)}`,
      );
  };
  function guard<T>(part: string, run: () => Promise<T>): Promise<T | undefined> | undefined;
  function guard<T>(part: string, run: () => T): T | undefined;
  function guard(part: string, run: () => unknown): unknown {
    try {
      const result = run();
      return result instanceof Promise ? result.catch((error: unknown) => fault(part, error)) : result;
    } catch (error) {
      return fault(part, error);
    }
  }
  return guard;
}
