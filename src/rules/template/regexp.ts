import type { RE2JS } from 're2js';
import { re2 } from '../../promql/re2.ts';
import { TemplateExecError } from './values.ts';

const cache = new Map<string, RE2JS>();
const CACHE_LIMIT = 200;

/** Whether a Go regular expression matches anywhere in `text`. */
export function searchMatches(pattern: string, text: string): boolean {
  return compile(pattern).matcher(text).find();
}

/** Go's ReplaceAllString: `$1`, `${1}` and `${name}` insert groups, `$$` a dollar. */
export function replaceAll(pattern: string, by: string, text: string): string {
  const regex = compile(pattern);
  const names = regex.namedGroups();
  const matcher = regex.matcher(text);
  let out = '';
  let end = 0;
  while (matcher.find()) {
    const group = (name: string) => {
      const at = /^\d+$/.test(name) ? Number(name) : (names[name] ?? -1);
      return at >= 0 && at <= matcher.groupCount() ? (matcher.group(at) ?? '') : '';
    };
    out += text.slice(end, matcher.start());
    out += by.replace(/\$(?:\$|\{(\w+)\}|(\w+))/g, (all, braced, bare) =>
      all === '$$' ? '$' : group(braced ?? bare),
    );
    end = matcher.end();
  }
  return out + text.slice(end);
}

function compile(pattern: string): RE2JS {
  const known = cache.get(pattern);
  if (known !== undefined) return known;
  let made: RE2JS;
  try {
    made = re2().compile(pattern);
  } catch (error) {
    throw new TemplateExecError(error instanceof Error ? error.message : String(error));
  }
  if (cache.size >= CACHE_LIMIT) cache.clear();
  cache.set(pattern, made);
  return made;
}
