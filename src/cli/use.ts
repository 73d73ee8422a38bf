import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';
import { parseDuration } from '../model/duration.ts';

/** A command was used wrongly: the message says how. */
export class UseError extends Error {
  override readonly name = 'UseError';
}

/** @throws UseError for options that are unknown or lack their value. */
export function parseOptions<const Options extends ParseArgsOptionsConfig>(
  args: readonly string[],
  options: Options,
) {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UseError((error as Error).message);
  }
}

/** @throws UseError when the value of a duration option is none above zero. */
export function durationOption(name: string, text: string): number {
  const ms = parseDuration(text);
  if (ms === undefined || ms === 0) throw new UseError(`${name} wants a duration such as 15s, not "${text}"`);
  return ms;
}

/** @throws UseError when the value of a version option is none. */
export function versionOption(name: string, text: string): string {
  const version = /^v?(\d+\.\d+)(?:\.\d+)?$/.exec(text)?.[1];
  if (version === undefined) throw new UseError(`${name} wants a version such as 2.42, not "${text}"`);
  return version;
}
