import { writeSync } from 'node:fs';
import type { Registry } from '../store/registry.ts';

/** Runs a part of the agent: what it throws is caught, counted, and told once a part. */
export type Guard = <T>(part: string, run: () => T) => T | undefined;

export function createGuard(registry: Registry, warn: (text: string) => void): Guard {
  const told = new Set<string>();
  const fault = (part: string, error: unknown): void => {
    registry.add('taskwarden.errors', { part }, 1);
    if (told.has(part)) return;
    told.add(part);
    warn(`fault in ${part}, jobs are not affected: ${error instanceof Error ? error.stack : String(error)}`);
  };
  return (part, run) => {
    try {
      const result = run();
      if (result instanceof Promise) result.catch((error: unknown) => fault(part, error));
      return result;
    } catch (error) {
      fault(part, error);
      return undefined;
    }
  };
}

/** Standard error by way of the file descriptor: a thread's console goes through the main thread, which may be blocked. */
export function warnOnStderr(text: string): void {
  try {
    writeSync(2, `taskwarden: ${text}\n`);
  } catch {
    // Nobody reads standard error: there is no other place to say so.
  }
}
