import { formatDuration, parseDuration } from '../model/duration.ts';

/** What an option's value may be. `Value` is what the configuration holds. */
export interface Kind<Value = unknown> {
  readonly type: 'boolean' | 'number' | 'duration' | 'choice' | 'list' | 'text' | 'map' | 'endpoints';
  /** What is allowed, to be read after "allowed: ". */
  readonly allowed: string;
  /**
   * Reads the text of an environment variable or what YAML gives; undefined when that is not allowed.
   * @throws PartNotAllowed where only a part of it is to blame
   */
  readonly parse: (raw: unknown) => Value | undefined;
  /** The value as people read it; by default as a text. */
  readonly show?: (value: unknown) => string;
}

/** A part of an option's value is not allowed. */
export class PartNotAllowed extends Error {
  /** Path from the option to the part, such as `[1].timeout`; empty for the whole. */
  readonly path: string;

  /** @param shown the part as it may be shown: never a secret */
  constructor(path: string, shown: string, allowed: string) {
    super(`${shown} is not allowed; allowed: ${allowed}`);
    this.path = path;
  }
}

const TRUE = ['true', 'yes', 'on', '1'];
const FALSE = ['false', 'no', 'off', '0'];

export const boolean: Kind<boolean> = {
  type: 'boolean',
  allowed: 'true or false',
  parse: (raw) => {
    const text = word(raw);
    if (text === undefined) return undefined;
    return TRUE.includes(text) ? true : FALSE.includes(text) ? false : undefined;
  },
};

/** A number from `min` to `max`, both included. */
export function number(min: number, max: number): Kind<number> {
  return {
    type: 'number',
    allowed: `a number from ${min} to ${max}`,
    parse: (raw) => within(parseNumber(raw), min, max),
  };
}

/** An integer from `min` to `max`, both included. */
export function integer(min: number, max: number): Kind<number> {
  return {
    type: 'number',
    allowed: `an integer from ${min} to ${max}`,
    parse: (raw) => {
      const value = within(parseNumber(raw), min, max);
      return Number.isInteger(value) ? value : undefined;
    },
  };
}

/** A duration with its unit from `min` to `max`, both included and written likewise. Its value is in ms. */
export function duration(min: string, max: string): Kind<number> {
  return {
    type: 'duration',
    allowed: `a duration from ${min} to ${max}, such as 500ms, 5s or 15m`,
    parse: (raw) =>
      typeof raw === 'string'
        ? within(parseDuration(raw.trim()), parseDuration(min) ?? 0, parseDuration(max) ?? 0)
        : undefined,
    show: (ms) => formatDuration(ms as number),
  };
}

/** One of several words. */
export function choice<const Word extends string>(words: readonly Word[]): Kind<Word> {
  return {
    type: 'choice',
    allowed: words.join(', '),
    parse: (raw) => {
      const text = word(raw);
      return words.find((candidate) => candidate === text);
    },
  };
}

/** Several of the words, each once: a list in YAML, separated by commas in an environment variable; `none` is the empty one. */
export function choices<const Word extends string>(words: readonly Word[]): Kind<readonly Word[]> {
  return {
    type: 'list',
    allowed: `a list of ${words.join(', ')}; or none`,
    parse: (raw) => {
      if (word(raw) === 'none') return [];
      const texts = list.parse(raw)?.map((text) => text.trim().toLowerCase());
      const known = texts?.map((text) => words.find((candidate) => candidate === text));
      if (known === undefined || known.includes(undefined)) return undefined;
      return [...new Set(known as Word[])];
    },
  };
}

/** Texts: a list in YAML, separated by commas in an environment variable. */
export const list: Kind<readonly string[]> = {
  type: 'list',
  allowed: 'a list of texts',
  parse: (raw) => {
    if (typeof raw === 'string') return splitList(raw);
    if (!Array.isArray(raw) || !raw.every((item) => typeof item === 'string' && item.trim() !== ''))
      return undefined;
    return raw;
  },
};

/** A text of one line. */
export const text: Kind<string> = {
  type: 'text',
  allowed: 'a text of one line',
  parse: (raw) => (typeof raw === 'string' && /^[^\r\n\0]+$/.test(raw) ? raw : undefined),
};

/** Names with texts: a mapping in YAML, `name=text,…` in an environment variable. */
export function textMap(
  allowed: string,
  isName: (name: string) => boolean,
  isText: (text: string) => boolean,
): Kind<Readonly<Record<string, string>>> {
  return {
    type: 'map',
    allowed,
    parse: (raw) => {
      const pairs = typeof raw === 'string' ? splitPairs(raw) : raw;
      if (typeof pairs !== 'object' || pairs === null || Array.isArray(pairs)) return undefined;
      const fits = ([name, value]: [string, unknown]): boolean =>
        isName(name) && typeof value === 'string' && isText(value);
      return Object.entries(pairs).every(fits) ? { ...pairs } : undefined;
    },
    show: (pairs) =>
      Object.entries(pairs as Record<string, string>)
        .map(([name, value]) => `${name}=${value}`)
        .join(', '),
  };
}

/** `a=b,c=d` as an object; a name that is not valid, the empty one, stands for an item without `=`. */
function splitPairs(raw: string): Record<string, string> {
  return Object.fromEntries(
    splitList(raw).map((item) => {
      const at = item.indexOf('=');
      return [item.slice(0, Math.max(0, at)).trim(), item.slice(at + 1).trim()];
    }),
  );
}

/** The items of a comma-separated list, trimmed, without empty ones. */
export function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** The text of a scalar, for comparison; a list must not pass as its only item. */
function word(raw: unknown): string | undefined {
  return typeof raw === 'object' ? undefined : String(raw).trim().toLowerCase();
}

function parseNumber(raw: unknown): number | undefined {
  if (typeof raw === 'number') return raw;
  return typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : undefined;
}

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}
