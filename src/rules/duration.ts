import { parseDuration } from '../model/duration.ts';

/** A duration of a rule file in ms: as in PromQL, and `0` needs no unit. Undefined when the text is none. */
export function parseRuleDuration(text: string): number | undefined {
  return text === '0' ? 0 : parseDuration(text);
}
