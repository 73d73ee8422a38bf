import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import type { LineCounter, Node, Pair, YAMLMap } from 'yaml';
import { type Position, TaskwardenError } from '../model/errors.ts';
import { suggestion } from './suggest.ts';

/** A value of the file and where it stands. */
export interface FileValue {
  readonly raw: unknown;
  readonly position: Position;
}

export interface ConfigFile {
  /** As the user wrote it, or as it was found. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  /** By option path, such as `watch.threshold`. */
  readonly values: ReadonlyMap<string, FileValue>;
}

const DEFAULT_NAME = 'taskwarden.yaml';

/**
 * Reads the configuration file: `explicit` if given, else taskwarden.yaml in `cwd` if there is one.
 * @throws TaskwardenError TASKWARDEN_FILE when it cannot be read; TASKWARDEN_YAML, with line and column, when it is malformed;
 * TASKWARDEN_CONFIG when it has a key that is no option.
 */
export function readConfigFile(
  cwd: string,
  explicit: string | undefined,
  options: readonly string[],
): ConfigFile | undefined {
  const name = explicit ?? DEFAULT_NAME;
  const path = resolve(cwd, name);
  if (explicit === undefined && !existsSync(path)) return undefined;
  return { name, path, values: parseConfig(readText(path, name, explicit !== undefined), name, options) };
}

function readText(path: string, name: string, explicit: boolean): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code;
    const reason = code === 'ENOENT' ? 'no such file' : code === 'EISDIR' ? 'it is a folder' : String(cause);
    const origin = explicit ? '; TASKWARDEN_CONFIG names it' : '';
    throw new TaskwardenError('TASKWARDEN_FILE', `the configuration cannot be read: ${reason}${origin}`, {
      file: name,
      cause,
    });
  }
}

function parseConfig(text: string, file: string, options: readonly string[]): Map<string, FileValue> {
  // Loading the parser takes as long as all else that the preload does, so it waits until there is a file.
  const yaml = createRequire(import.meta.url)('yaml') as typeof import('yaml');
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const values = new Map<string, FileValue>();

  const fail = (code: 'TASKWARDEN_YAML' | 'TASKWARDEN_CONFIG', message: string, offset: number): never => {
    throw new TaskwardenError(code, message, { file, position: positionOf(lines, offset) });
  };
  const visit = (map: YAMLMap, prefix: string): void => {
    for (const { key, value } of map.items as Pair<Node, Node | null>[]) {
      const offset = key.range?.[0] ?? 0;
      const path = prefix + (yaml.isScalar(key) ? String(key.value) : String(key));
      const node = yaml.isAlias(value) ? value.resolve(document) : value;
      if (options.includes(path)) {
        if (yaml.isScalar(value) && value.value === null)
          fail('TASKWARDEN_CONFIG', `${path} has no value`, offset);
        values.set(path, {
          raw: node?.toJS(document),
          position: positionOf(lines, value?.range?.[0] ?? offset),
        });
      } else if (options.some((option) => option.startsWith(`${path}.`))) {
        if (yaml.isMap(node)) visit(node, `${path}.`);
        else if (!yaml.isScalar(node) || node.value !== null)
          fail(
            'TASKWARDEN_CONFIG',
            `${path} must hold options of its own: ${children(options, path)}`,
            offset,
          );
      } else {
        fail(
          'TASKWARDEN_CONFIG',
          `unknown option "${path}"${suggestion(path, options) || allowed(options, prefix)}`,
          offset,
        );
      }
    }
  };

  const error = document.errors[0];
  if (error !== undefined) fail('TASKWARDEN_YAML', error.message, error.pos[0]);
  const root = document.contents;
  if (yaml.isMap(root)) visit(root, '');
  else if (root !== null && !(yaml.isScalar(root) && root.value === null))
    fail('TASKWARDEN_YAML', 'options must be written as "name: value"', root.range?.[0] ?? 0);
  return values;
}

function positionOf(lines: LineCounter, offset: number): Position {
  const { line, col } = lines.linePos(offset);
  return { line, column: col };
}

function children(options: readonly string[], path: string): string {
  return options
    .filter((option) => option.startsWith(`${path}.`))
    .map((option) => option.slice(path.length + 1))
    .join(', ');
}

function allowed(options: readonly string[], prefix: string): string {
  const names = options
    .filter((option) => option.startsWith(prefix))
    .map((option) => option.slice(prefix.length).replace(/\..*/, ''));
  return `; allowed: ${[...new Set(names)].join(', ')}`;
}
