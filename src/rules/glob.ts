import { type Dirent, readdirSync, statSync } from 'node:fs';
import { isAbsolute, join, resolve } from 'node:path';

/** True when a path has a wildcard: `*`, `?` or `[`. */
export function isGlob(path: string): boolean {
  return /[*?[]/.test(path);
}

/**
 * The files that a glob names, sorted. `*`, `?` and `[a-z]` stay within one path part; a part `**` is any number of
 * folders, links to folders left out. Names that begin with a dot are only matched by a part that does, too.
 *
 * @param visited receives every folder that was looked into: a new match can only appear in one of them
 */
export function expandGlob(pattern: string, cwd: string, visited: Set<string> = new Set()): string[] {
  const parts = pattern.split('/').filter((part, at) => part !== '' || at === 0);
  const start = isAbsolute(pattern) ? '/' : '';
  if (start !== '') parts.shift();
  const found = new Set<string>();
  walk(start, parts, cwd, { found, visited });
  return [...found].sort();
}

interface Walk {
  readonly found: Set<string>;
  readonly visited: Set<string>;
}

function walk(at: string, parts: readonly string[], cwd: string, into: Walk): void {
  const [part, ...rest] = parts;
  if (part === undefined) {
    if (statSync(resolve(cwd, at), { throwIfNoEntry: false })?.isFile()) into.found.add(at);
  } else if (part === '**') {
    walk(at, rest, cwd, into);
    for (const entry of list(at, cwd, into))
      if (entry.isDirectory() && !entry.name.startsWith('.')) walk(join(at, entry.name), parts, cwd, into);
  } else if (isGlob(part)) {
    const shape = partShape(part);
    for (const entry of list(at, cwd, into))
      if (shape.test(entry.name)) walk(join(at, entry.name), rest, cwd, into);
  } else {
    walk(at === '' ? part : join(at, part), rest, cwd, into);
  }
}

function list(at: string, cwd: string, { visited }: Walk): Dirent[] {
  visited.add(resolve(cwd, at));
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
