import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { SourceMap, type SourceMapPayload } from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { bounded } from './frames.ts';

/** Larger ones are left alone: to read one holds up the agent. */
const MAX_MAP_BYTES = 8 << 20;
/** The end of a module, where it names its map; the map itself may be there too. */
const MAX_TAIL_BYTES = 4096;
/** Modules whose maps are kept. */
const MAX_MODULES = 32;

const COMMENT = /\/[/*][#@] sourceMappingURL=([^\s'"*]+)/g;
/** A place at the end of a frame: what comes before it, file, line, column, and the rest. */
const PLACE = /^(.*?)((?:file:\/\/)?\/[^\s()]*(?: [^()]*?)?):(\d+):(\d+)(\)?)$/;

interface Loaded {
  readonly map: SourceMap;
  /** What the map's sources count from. */
  readonly base: URL;
}

/**
 * Names places in the sources that modules were made of. Node.js knows source maps only where the host asked for them, and then
 * on the host's thread; here they are read from the files, when a stack needs them.
 */
export class SourceMaps {
  readonly #loaded = new Map<string, Loaded | undefined>();

  /** The stack, one frame a line, with the places of the sources where they are known. Never throws. */
  translate(stack: string): string {
    if (stack === '') return stack;
    return bounded(stack.split('\n').map((frame) => this.#frame(frame)));
  }

  #frame(frame: string): string {
    const [, before = '', file = '', line, column, after] = PLACE.exec(frame) ?? [];
    if (file === '') return frame;
    const place = this.place(file, Number(line), Number(column));
    return place === undefined ? frame : `${before}${place.file}:${place.line}:${place.column}${after}`;
  }

  /** @param file path or file: URL; `line` and `column` count from 1, in the result too */
  place(
    file: string,
    line: number,
    column: number,
  ): { file: string; line: number; column: number } | undefined {
    try {
      const loaded = this.#load(file);
      const origin = loaded?.map.findOrigin(line, column);
      if (loaded === undefined || origin === undefined || !('fileName' in origin)) return undefined;
      const url = new URL(String(origin.fileName), loaded.base);
      const source = file.startsWith('file:') || url.protocol !== 'file:' ? url.href : fileURLToPath(url);
      return { file: source, line: origin.lineNumber, column: origin.columnNumber };
    } catch {
      return undefined;
    }
  }

  #load(file: string): Loaded | undefined {
    if (this.#loaded.has(file)) return this.#loaded.get(file);
    if (this.#loaded.size >= MAX_MODULES) this.#loaded.delete([...this.#loaded.keys()][0]!);
    // Also what is none is remembered, and what cannot be read.
    this.#loaded.set(file, undefined);
    const loaded = load(file);
    this.#loaded.set(file, loaded);
    return loaded;
  }
}

function load(file: string): Loaded | undefined {
  const module = file.startsWith('file:') ? new URL(file) : pathToFileURL(file);
  const link = linkOf(fileURLToPath(module));
  if (link === undefined) return undefined;
  const url = new URL(link, module);
  const text = url.protocol === 'data:' ? decode(link) : readBounded(url);
  if (text === undefined) return undefined;
  const payload = JSON.parse(text) as SourceMapPayload;
  const base = new URL(
    payload.sourceRoot ? `${payload.sourceRoot.replace(/\/?$/, '/')}` : '',
    url.protocol === 'data:' ? module : url,
  );
  return { map: new SourceMap(payload), base };
}

/** What the last comment of its kind at the end of a module says. */
function linkOf(path: string): string | undefined {
  const fd = openSync(path, 'r');
  try {
    const { size } = fstatSync(fd);
    if (size > MAX_MAP_BYTES) return tailLink(fd, size, MAX_TAIL_BYTES);
    return tailLink(fd, size, MAX_TAIL_BYTES) ?? tailLink(fd, size, size);
  } finally {
    closeSync(fd);
  }
}

function tailLink(fd: number, size: number, most: number): string | undefined {
  const bytes = Buffer.alloc(Math.min(size, most));
  const read = readSync(fd, bytes, 0, bytes.length, size - bytes.length);
  return [...bytes.toString('utf8', 0, read).matchAll(COMMENT)].at(-1)?.[1];
}

function readBounded(url: URL): string | undefined {
  if (url.protocol !== 'file:' || statSync(url).size > MAX_MAP_BYTES) return undefined;
  return readFileSync(url, 'utf8');
}

function decode(link: string): string {
  const at = link.indexOf(',');
  const text = link.slice(at + 1);
  return link.slice(0, at).endsWith(';base64')
    ? Buffer.from(text, 'base64').toString('utf8')
    : decodeURIComponent(text);
}
