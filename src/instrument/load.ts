import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { satisfies } from '../model/version.ts';
import type { Host } from './host.ts';
import { LIBRARIES, type Library, type Target } from './list.ts';
import { type Amend, amendSources } from './sources.ts';

/** Global function that the appended line of an instrumented module calls. */
const LOADED = Symbol.for('taskwarden.loaded');

/** What became of a copy of a known library. */
export interface Instrumented {
  library: string;
  version: string;
  file: string;
  outcome: 'instrumented' | 'unsupported version' | 'failed';
}

interface Match {
  library: Library;
  target: Target;
  version: string;
}

export interface LoadOptions {
  host: Host;
  onError: (part: string, error: unknown) => void;
  warn: (text: string) => void;
  /** Version of Node.js. */
  node?: string;
}

/**
 * Instruments libraries as they load. A load hook appends one line to the few files that hold what is to be patched; the
 * line runs when the module has been evaluated, in CommonJS and ESM alike, before anyone can use its exports. Nothing
 * else of a module is touched, and other modules pass as they are.
 */
export function watchModules(options: LoadOptions): {
  instrumented: readonly Instrumented[];
  stop: () => void;
} {
  const instrumented: Instrumented[] = [];
  const undo: (() => void)[] = [];
  const matches = new Map<string, Match>();

  function loaded(file: string, exported: Record<string, unknown>): void {
    const match = matches.get(file);
    if (match === undefined) return;
    const { library, target, version } = match;
    const entry: Instrumented = { library: library.name, version, file, outcome: 'instrumented' };
    instrumented.push(entry);
    try {
      const part = target.export === '*' ? exported : exported[target.export];
      undo.push(target.install(part as never, options.host));
    } catch (error) {
      entry.outcome = 'failed';
      options.onError(`instrumentation of ${library.name} ${version}`, error);
    }
  }

  function found(url: string): Match | undefined {
    const match = findMatch(url);
    if (match === undefined) return undefined;
    if (satisfies(match.version, match.library.versions)) return match;
    const { name, versions } = match.library;
    if (!instrumented.some((known) => known.library === name && known.version === match.version)) {
      instrumented.push({ library: name, version: match.version, file: url, outcome: 'unsupported version' });
      options.warn(`${name} ${match.version} is not instrumented: supported are ${versions}`);
    }
    return undefined;
  }

  function look(url: string): Match | undefined {
    try {
      const match = found(url);
      if (match !== undefined) matches.set(url, match);
      return match;
    } catch (error) {
      options.onError('module loading', error);
      return undefined;
    }
  }

  const amend: Amend = (url, source, format) => {
    const match = look(url);
    return match === undefined ? source : `${source}\n${appendix(url, match.target, format)}`;
  };
  undo.push(amendSources(isCandidate, amend, options.node));
  const globals = globalThis as { [LOADED]?: typeof loaded };
  globals[LOADED] = loaded;
  // What an earlier preload has required did not pass the hook.
  for (const [file, module] of Object.entries(createRequire(import.meta.url).cache)) {
    const url = pathToFileURL(file).href;
    if (module?.loaded === true && isCandidate(url) && look(url) !== undefined) loaded(url, module.exports);
  }
  return {
    instrumented,
    stop: () => {
      delete globals[LOADED];
      for (const restore of undo.reverse()) restore();
    },
  };
}

const FILES: readonly string[] = LIBRARIES.flatMap((library) =>
  library.targets.flatMap((target) => target.files.map((file) => pathOf(target, file))),
);

function pathOf({ folder }: Target, file: string): string {
  return folder === undefined ? file : `${folder}/${file}`;
}

/** Cheap test that all but a few modules fail; the package's own name is looked up only after it. */
function isCandidate(url: string): boolean {
  return url.startsWith('file:') && FILES.some((file) => url.endsWith(file));
}

function findMatch(url: string): Match | undefined {
  for (const library of LIBRARIES) {
    for (const target of library.targets) {
      const file = target.files.find((end) => url.endsWith(`/${pathOf(target, end)}`));
      if (file === undefined) continue;
      const { name, version } = manifestIn(url.slice(0, -file.length));
      if (name === library.name && version !== undefined) return { library, target, version };
    }
  }
  return undefined;
}

/** Nothing where the application has a file of that name itself. */
function manifestIn(folder: string): { name?: string; version?: string } {
  try {
    return JSON.parse(readFileSync(fileURLToPath(`${folder}package.json`), 'utf8'));
  } catch {
    return {};
  }
}

function appendix(url: string, target: Target, format: string | null | undefined): string {
  const esm = format === 'module';
  const exported = !esm
    ? 'module.exports'
    : target.export === '*'
      ? '{trace,context,propagation}'
      : `{${target.export}}`;
  return `;globalThis[Symbol.for('taskwarden.loaded')]?.(${JSON.stringify(url)}, ${exported});\n`;
}
