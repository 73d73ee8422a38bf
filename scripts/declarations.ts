import { execFileSync } from 'node:child_process';
import { globSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const ENTRIES = ['index.d.ts', 'register.d.ts'];
const SPECIFIER = /(?<=(?:from|import)\s*\(?["'])(\.[^"']+)\.ts(?=["'])/g;

/**
 * Writes the declarations of what the entries export, and no others: those name packages that are not installed with this one. Each is
 * there once more for CommonJS, where TypeScript takes none of an ES module.
 */
export function declarations(folder: string): void {
  const tsc = resolve(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'src', '--outDir', folder], { cwd: root, stdio: 'inherit' });
  const reached = new Set(ENTRIES.map((entry) => resolve(folder, entry)));
  for (const file of reached) {
    const text = readFileSync(file, 'utf8');
    for (const [, path] of text.matchAll(SPECIFIER)) reached.add(resolve(dirname(file), `${path}.d.ts`));
    writeFileSync(file.replace(/ts$/, 'cts'), text.replace(SPECIFIER, '$1.cts'));
  }
  for (const name of globSync('**/*.d.ts', { cwd: folder }))
    if (!reached.has(resolve(folder, name))) rmSync(resolve(folder, name));
}
