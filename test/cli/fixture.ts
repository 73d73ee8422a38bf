import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import type { Io } from '../../src/cli/io.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

/** A new folder with files by their paths. */
export function folder(files: Readonly<Record<string, string>> = {}): string {
  const path = mkdtempSync(join(tmpdir(), 'taskwarden-cli-'));
  folders.push(path);
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), text);
  }
  return path;
}

/** A world whose output is kept. */
export function world(cwd: string, env: Readonly<Record<string, string>> = {}) {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const io: Io = { cwd, env, out: (line) => stdout.push(line), err: (line) => stderr.push(line) };
  return { io, stdout: () => stdout.join('\n'), stderr: () => stderr.join('\n') };
}
