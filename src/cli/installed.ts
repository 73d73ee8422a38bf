import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { satisfies } from '../model/version.ts';

/** A library that Taskwarden can instrument, and in which versions (as `satisfies` reads them). */
export interface Supported {
  readonly name: string;
  readonly versions: string;
}

export interface Installed extends Supported {
  /** Version that code in the folder would load; undefined when it is not installed. */
  readonly found: string | undefined;
  readonly instrumented: boolean;
}

/** Which of the libraries are installed for code in a folder: in its own node_modules or in one above it. */
export function findInstalled(cwd: string, supported: readonly Supported[]): Installed[] {
  return supported.map((library) => {
    const found = versionFor(cwd, library.name);
    return { ...library, found, instrumented: found !== undefined && satisfies(found, library.versions) };
  });
}

/** Version that code in a folder would load; undefined when there is none. */
export function versionFor(cwd: string, name: string): string | undefined {
  for (let folder = cwd; ; folder = dirname(folder)) {
    const version = readVersion(join(folder, 'node_modules', name, 'package.json'));
    if (version !== undefined || folder === dirname(folder)) return version;
  }
}

function readVersion(path: string): string | undefined {
  try {
    const { version } = JSON.parse(readFileSync(path, 'utf8')) as { version?: unknown };
    return typeof version === 'string' ? version : undefined;
  } catch {
    return undefined;
  }
}
