import { type Dirent, readdirSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';

/** True when a path has a wildcard: `*`, `?` or `[`. */
export function isGlob(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * The files that a glob names, sorted. `*`, `?` and `[a-z]` stay within one path part; a part `**` is any number of
 * folders, links to folders left out. Names that begin with a dot are only matched by a part that does, too.
 */
export function expandGlob(pattern: string, cwd: string): string[] {
  const parts = pattern.split('/').filter((part, at) => part !== '' || at === 0);
  const start = isAbsolute(pattern) ? '/' : '';
  if (start !== '') parts.shift();
  const found = new Set<string>();
  walk(start, parts, cwd, found);
  return [...found].sort();
}

function walk(at: string, parts: readonly string[], cwd: string, found: Set<string>): void {
  const [part, ...rest] = parts;
  if (part === undefined) {
    if (statSync(resolve(cwd, at), { throwIfNoEntry: false })?.isFile()) found.add(at);
  } else if (part === '**') {
    walk(at, rest, cwd, found);
    for (const entry of list(at, cwd))
      if (entry.isDirectory() && !entry.name.startsWith('.')) walk(join(at, entry.name), parts, cwd, found);
  } else if (isGlob(part)) {
    const shape = partShape(part);
    for (const entry of list(at, cwd))
      if (shape.test(entry.name)) walk(join(at, entry.name), rest, cwd, found);
  } else {
    walk(at === '' ? part : join(at, part), rest, cwd, found);
  }
}

function list(at: string, cwd: string): Dirent[] {
  try {
    return readdirSync(resolve(cwd, at), { withFileTypes: true });
  } catch {
    return []; // Not a folder, or not readable: nothing in it matches.
  }
}

function partShape(part: string): RegExp {
  let shape = /^[*?[]/.test(part) ? '(?!\\.)' : '';
  for (let at = 0; at < part.length; at++) {
    const character = part[at]!;
    const close = character === '[' ? part.indexOf(']', at + 2) : -1;
    if (character === '*') shape += '[^/]*';
    else if (character === '?') shape += '[^/]';
    else if (close > 0) {
      shape += `[${part
        .slice(at + 1, close)
        .replace(/[\\[\]]/g, '\\$&')
        .replace(/^!/, '^')}]`;
      at = close;
    } else shape += character.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
  }
  return new RegExp(`^${shape}$`);
}
