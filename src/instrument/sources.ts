import { Module, registerHooks } from 'node:module';
import { isAbsolute, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { satisfies } from '../model/version.ts';
import { replaceMethod } from './patch.ts';

/**
 * Versions of Node.js in which any load hook, even one that does nothing, has an `import` of CommonJS modules that require each other fail
 * with "Unexpected module status 3" (nodejs/node#58515): a worker that imports BullMQ would not start.
 */
const WITHOUT_HOOKS = '>=22.17 <22.18 || >=24.1 <24.3';

/** What is asked about modules before they are run. No method throws. */
export interface Amend {
  isWanted(url: string): boolean;
  /** The text to be run in place of that of a module that is wanted, or the same. */
  amend(url: string, source: string, format: string | null | undefined): string;
}

/** Whether load hooks can be used without harm. */
export function canHook(node: string = process.versions.node): boolean {
  return !satisfies(node, WITHOUT_HOOKS);
}

/**
 * Shows the text of modules that are wanted before they are run; where load hooks do harm, CommonJS modules alone. A module may be shown
 * twice, the second time as it was amended.
 */
export function amendSources(amend: Amend, node?: string): () => void {
  const undoCompile = amendCompiled(amend);
  if (!canHook(node)) return undoCompile;
  const undoLoad = amendLoaded(amend);
  return () => {
    undoLoad();
    undoCompile();
  };
}

function amendLoaded({ isWanted, amend }: Amend): () => void {
  const hooks = registerHooks({
    load(url, context, nextLoad) {
      const result = nextLoad(url, context);
      const { source, format } = result;
      if (!isWanted(url) || source === null || source === undefined) return result;
      const text = typeof source === 'string' ? source : Buffer.from(source as Uint8Array).toString();
      const amended = amend(url, text, format);
      return amended === text ? result : { ...result, source: amended };
    },
  });
  return () => hooks.deregister();
}

/**
 * The method is none that is documented, but what tools have replaced for as long as there are modules. All CommonJS passes here: what a
 * loader such as tsx reads by itself, and what has been read already when a preload is imported by the program itself.
 */
function amendCompiled({ isWanted, amend }: Amend): () => void {
  return replaceMethod(Module.prototype, '_compile', (original) => {
    return function (this: unknown, content, filename, format) {
      const path = String(filename);
      // `[eval]` and the like are no files. A URL is made for those few that are wanted.
      if (!isAbsolute(path) || !isWanted(sep === '/' ? `file://${path}` : pathToFileURL(path).href))
        return original.call(this, content, filename, format);
      const text = amend(pathToFileURL(path).href, String(content), format as string | undefined);
      return original.call(this, text, filename, format);
    };
  });
}
