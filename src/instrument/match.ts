import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { satisfies } from '../model/version.ts';
import { LIBRARIES, type Library, type Target } from './list.ts';

/** A file that holds what is to be patched. */
export interface Match {
  readonly library: Library;
  readonly target: Target;
  readonly version: string;
}

/** One expression for each question: every module that is loaded is asked, most of them by code that V8 has not compiled yet. */
const CANDIDATE = new RegExp(
  `^file:.*(?:${LIBRARIES.flatMap(({ targets }) =>
    targets.flatMap((target) => target.files.map((file) => plain(pathOf(target, file)))),
  ).join('|')})$`,
);
const IN_LIBRARY = new RegExp(
  `/node_modules/(${LIBRARIES.map(({ name }) => plain(name)).join('|')})/(?!.*/experimental/).*\\.[cm]?js$`,
);

function plain(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

function pathOf({ folder }: Target, file: string): string {
  return folder === undefined ? file : `${folder}/${file}`;
}

/** Cheap test that all but a few modules fail; the package's own name is looked up only after it. */
export function isCandidate(url: string): boolean {
  return CANDIDATE.test(url);
}

/** Name of the library that a script belongs to by its path; entries of it that do without the rest do not count. */
export function libraryAt(url: string): string | undefined {
  return IN_LIBRARY.exec(url)?.[1];
}

/** Whether a script is the application's own, as far as its path tells. */
export function isOwn(url: string): boolean {
  return url.startsWith('file:') && !url.includes('/node_modules/');
}

/** The library that a bundler has put into a script. */
export function libraryWithin(source: string): Library | undefined {
  return LIBRARIES.find(({ inlined }) => inlined?.every((part) => part.test(source)));
}

export function findMatch(url: string): Match | undefined {
  for (const library of LIBRARIES) {
    for (const target of library.targets) {
      const file = target.files.find((end) => url.endsWith(`/${pathOf(target, end)}`));
      if (file === undefined) continue;
      const { name, version } = manifestIn(url.slice(0, -file.length));
      if (name !== library.name || version === undefined) continue;
      if (target.versions === undefined || satisfies(version, target.versions))
        return { library, target, version };
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
