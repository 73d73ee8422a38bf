import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import type { Instrumented } from '../model/instrumented.ts';
import { satisfies } from '../model/version.ts';
import type { Host } from './host.ts';
import type { Target } from './list.ts';
import { findMatch, isCandidate, isOwn, libraryAt, libraryWithin, type Match } from './match.ts';
import { amendSources } from './sources.ts';

/** Global function that the appended line of an instrumented module calls. */
const LOADED_KEY = 'taskwarden.loaded';
const LOADED = Symbol.for(LOADED_KEY);
/** Looks by which a library whose first file has been read has run the file that is to be patched. */
const PATIENCE = 2;

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
export class Modules {
  readonly #options: LoadOptions;
  readonly #instrumented: Instrumented[] = [];
  readonly #undo: (() => void)[] = [];
  readonly #matches = new Map<string, Match>();
  /** Files of libraries of which none has been told of yet, by their names, and looks since. */
  readonly #seen = new Map<string, { readonly file: string; looks: number }>();

  constructor(options: LoadOptions) {
    this.#options = options;
    const amend = {
      isWanted: (url: string): boolean => this.#isWanted(url),
      amend: (url: string, source: string, format: string | null | undefined): string =>
        this.#amend(url, source, format),
    };
    this.#undo.push(amendSources(amend, options.node));
    const globals = globalThis as { [LOADED]?: (file: string, exported: Record<string, unknown>) => void };
    globals[LOADED] = (file, exported) => this.#loaded(file, exported);
    this.#undo.push(() => delete globals[LOADED]);
    // What an earlier preload has required did not pass the hook.
    for (const [file, module] of Object.entries(createRequire(import.meta.url).cache)) {
      const url = pathToFileURL(file).href;
      if (module?.loaded === true && isCandidate(url) && this.#look(url)) this.#loaded(url, module.exports);
    }
  }

  get instrumented(): readonly Instrumented[] {
    return this.#instrumented;
  }

  /** Says which libraries are there and are not what they are known to be. To be called about once a second. */
  check(): void {
    for (const [library, seen] of this.#seen) {
      if (++seen.looks < PATIENCE) continue;
      this.#seen.delete(library);
      if (this.#isTold(library)) continue;
      const { file } = seen;
      this.#instrumented.push({ library, version: '', file, outcome: 'unknown files' });
      this.#options.warn(
        `${library} is loaded, but not from the files it is known by, and not instrumented: ${file}`,
      );
    }
  }

  stop(): void {
    for (const undo of this.#undo.reverse()) undo();
  }

  #isTold(library: string): boolean {
    return this.#instrumented.some((known) => known.library === library);
  }

  #isWanted(url: string): boolean {
    const library = libraryAt(url);
    if (library !== undefined && !this.#seen.has(library) && !this.#isTold(library))
      this.#seen.set(library, { file: url, looks: 0 });
    return isCandidate(url) || isOwn(url);
  }

  #amend(url: string, source: string, format: string | null | undefined): string {
    if (source.includes(LOADED_KEY)) return source;
    if (!isCandidate(url)) this.#unbundled(url, source);
    else if (this.#look(url)) return `${source}\n${appendix(url, this.#matches.get(url)!.target, format)}`;
    return source;
  }

  #unbundled(file: string, source: string): void {
    const library = libraryWithin(source)?.name;
    if (library === undefined || this.#instrumented.some((known) => known.file === file)) return;
    this.#instrumented.push({ library, version: '', file, outcome: 'bundled' });
    this.#options.warn(
      `${library} is part of ${file}, where a bundler has put it, and is not instrumented: leave it external, or use task()`,
    );
  }

  /** Whether the file is one to be patched. */
  #look(url: string): boolean {
    try {
      const match = findMatch(url);
      if (match === undefined) return false;
      const isSupported = satisfies(match.version, match.library.versions);
      if (isSupported) this.#matches.set(url, match);
      else this.#refuse(url, match);
      return isSupported;
    } catch (error) {
      this.#options.onError('module loading', error);
      return false;
    }
  }

  #refuse(file: string, { library: { name, versions }, version }: Match): void {
    if (this.#instrumented.some((known) => known.library === name && known.version === version)) return;
    this.#instrumented.push({ library: name, version, file, outcome: 'unsupported version' });
    this.#options.warn(`${name} ${version} is not instrumented: supported are ${versions}`);
  }

  #loaded(file: string, exported: Record<string, unknown>): void {
    const match = this.#matches.get(file);
    if (match === undefined) return;
    const { library, target, version } = match;
    const entry: Instrumented = { library: library.name, version, file, outcome: 'instrumented' };
    this.#instrumented.push(entry);
    try {
      const part = target.export === '*' ? exported : exported[target.export];
      this.#undo.push(target.install(part as never, this.#options.host));
    } catch (error) {
      entry.outcome = 'failed';
      this.#options.onError(`instrumentation of ${library.name} ${version}`, error);
    }
  }
}

function appendix(url: string, target: Target, format: string | null | undefined): string {
  const tell = `globalThis[Symbol.for('${LOADED_KEY}')]?.(${JSON.stringify(url)}`;
  if (format !== 'module') return `;${tell}, module.exports);\n`;
  const exported = target.export === '*' ? 'trace,context,propagation' : target.export;
  // Names that a module exports need not be those within it; that it is not instrumented then must not be its end.
  return `;try { ${tell}, {${exported}}); } catch { ${tell}, {}); }\n`;
}
