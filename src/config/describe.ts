import type { Config, Source } from './config.ts';
import { MASK, maskUrls, SECRET } from './mask.ts';
import { keysOf, OPTIONS, variableOf } from './options.ts';

/** One line of the effective configuration; secrets are masked. */
export interface ConfigLine {
  /** Path in taskwarden.yaml; for what is set by the environment alone, the variable. */
  readonly option: string;
  readonly value: string;
  readonly source: Source;
  readonly variable: string;
}

/** Our options in the order of their table, then the OTEL_* variables that are set, sorted. */
export function describe(config: Config): ConfigLine[] {
  const own = Object.entries(OPTIONS).map(([option, { kind }]): ConfigLine => {
    let value: unknown = config;
    for (const key of keysOf(option)) value = (value as Record<string, unknown>)[key];
    const shown = (kind.show ?? showValue)(value);
    return {
      option,
      value: mask(option, shown),
      source: config.sources[option] ?? 'default',
      variable: variableOf(option),
    };
  });
  const others = Object.keys(config.env)
    .filter((name) => name.startsWith('OTEL_'))
    .sort()
    .map((name): ConfigLine => {
      return { option: name, value: mask(name, config.env[name] ?? ''), source: 'env', variable: name };
    });
  return [...own, ...others];
}

/** The value of a variable or option of this name as it may be shown: secrets, and secrets within lists and URLs, masked. */
export function mask(name: string, value: string): string {
  if (value === '') return value;
  if (/HEADERS$/i.test(name)) return maskPairs(value, () => true);
  if (/RESOURCE_ATTRIBUTES$/i.test(name)) return maskPairs(value, (key) => SECRET.test(key));
  if (SECRET.test(name)) return MASK;
  return maskUrls(value);
}

function maskPairs(value: string, secret: (key: string) => boolean): string {
  return value
    .split(',')
    .map((pair) => {
      const at = pair.indexOf('=');
      if (at < 0) return secret(pair) ? MASK : pair;
      const key = pair.slice(0, at);
      return secret(key) ? `${key}=${MASK}` : `${key}=${maskUrls(pair.slice(at + 1))}`;
    })
    .join(',');
}

function showValue(value: unknown): string {
  return Array.isArray(value) ? value.join(', ') : String(value);
}
