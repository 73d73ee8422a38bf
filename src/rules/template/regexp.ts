import { TemplateExecError } from './values.ts';

const cache = new Map<string, RegExp>();
const MAX_CACHED = 200;

/** A Go regular expression (unanchored, RE2 syntax) as a JavaScript one. */
export function searchPattern(pattern: string): RegExp {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  const made = translate(pattern);
  if (cache.size >= MAX_CACHED) cache.clear();
  cache.set(pattern, made);
  return made;
}

/** Go's ReplaceAllString: `$1`, `${1}` and `${name}` insert groups, `$$` a dollar. */
export function replaceAll(pattern: string, by: string, text: string): string {
  const shape = new RegExp(searchPattern(pattern), 'gu');
  return text.replace(shape, (...match) => {
    const named = typeof match.at(-1) === 'object' ? (match.at(-1) as Record<string, string>) : {};
    return by.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (all, braced, bare) => {
      if (all === '$$') return '$';
      const name: string = braced ?? bare;
      const group = /^\d+$/.test(name) ? match[Number(name)] : named[name];
      return typeof group === 'string' ? group : '';
    });
  });
}

function translate(pattern: string): RegExp {
  const flags = /^\(\?([ims]+)\)/.exec(pattern);
  const body = (flags === null ? pattern : pattern.slice(flags[0].length))
    .replace(/\(\?P</g, '(?<')
    .replace(/\\A|\\z/g, (anchor) => (anchor === '\\A' ? '^' : '$'));
  try {
    return new RegExp(body, `u${[...new Set(flags?.[1] ?? '')].join('')}`);
  } catch (error) {
    throw new TemplateExecError(
      `error parsing regexp: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}
