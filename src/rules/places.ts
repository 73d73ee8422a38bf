import { lstatSync, readlinkSync } from 'node:fs';
import { dirname, join, parse, resolve, sep } from 'node:path';
import { expandGlob, isGlob } from './glob.ts';

/** Links followed on the way to one file. */
const MAX_LINKS = 40;

/**
 * The folders, absolute, in which a change may change which files `patterns` name or what is in them: those of the files, those a glob looks
 * into, and those that hold a link on the way, as a ConfigMap's `..data`. Of one that does not exist it is the nearest that does.
 */
export function placesOf(patterns: readonly string[], cwd: string): Set<string> {
  const places = new Set<string>();
  for (const pattern of patterns) {
    const visited = new Set<string>();
    const files = isGlob(pattern) ? expandGlob(pattern, cwd, visited) : [pattern];
    for (const folder of visited) follow(folder, places);
    for (const folder of visited) places.add(existing(folder));
    for (const file of files) {
      places.add(existing(dirname(resolve(cwd, file))));
      follow(resolve(cwd, file), places);
    }
  }
  return places;
}

/** Adds the folder of every link on the way to `path`, and the folder that is its end. */
function follow(path: string, places: Set<string>): void {
  const { root } = parse(path);
  let at = root;
  let rest = path.slice(root.length).split(sep);
  for (let links = 0; rest.length > 0; ) {
    const next = join(at, rest[0]!);
    rest = rest.slice(1);
    const target = linkTarget(next);
    if (target === undefined) {
      at = next;
      continue;
    }
    places.add(at);
    if (++links > MAX_LINKS) return;
    const goal = resolve(at, target);
    at = parse(goal).root;
    rest = [...goal.slice(at.length).split(sep), ...rest];
  }
  places.add(existing(dirname(at)));
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined; // No link, or not there.
  }
}

function existing(folder: string): string {
  let at = folder;
  while (lstatSync(at, { throwIfNoEntry: false }) === undefined && dirname(at) !== at) at = dirname(at);
  return at;
}
