import { resolve } from 'node:path';
import { expandGlob, isGlob } from './glob.ts';

/** The files that paths and globs name, each once; a path that names none is kept, to fail when it is read. */
export function findRuleFiles(
  patterns: readonly string[],
  cwd = '.',
): { files: string[]; unmatched: string[] } {
  const files = new Map<string, string>();
  const unmatched: string[] = [];
  for (const pattern of patterns) {
    const found = isGlob(pattern) ? expandGlob(pattern, cwd) : [pattern];
    if (found.length === 0) unmatched.push(pattern);
    for (const file of found) {
      const path = resolve(cwd, file);
      if (!files.has(path)) files.set(path, file);
    }
  }
  return { files: [...files.values()], unmatched };
}
