import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const ENTRIES = ['index.d.ts', 'register.d.ts'];

/** Writes the declarations of what the entries export, and no others: those name packages that are not installed with this one. */
export function declarations(folder: string): void {
  const tsc = resolve(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'src', '--outDir', folder], { cwd: root, stdio: 'inherit' });
  const reached = new Set(ENTRIES.map((entry) => resolve(folder, entry)));
  for (const file of reached)
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(
      /\b(?:from|import)\s*\(?["'](\.[^"']+)\.ts["']/g,
    ))
      reached.add(resolve(dirname(file), `${specifier}.d.ts`));
  for (const name of globSync('**/*.d.ts', { cwd: folder }))
    if (!reached.has(resolve(folder, name))) rmSync(resolve(folder, name));
}
