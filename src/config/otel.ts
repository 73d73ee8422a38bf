import { splitList } from './kinds.ts';
import { maskUrls } from './mask.ts';

export const SIGNALS = ['traces', 'metrics', 'logs'] as const;
export type Signal = (typeof SIGNALS)[number];
export type Exporter = 'otlp' | 'console';
export type Protocol = 'http/protobuf' | 'http/json' | 'grpc';

/**
 * What the OTEL_* variables decide that Taskwarden must know itself. Endpoints, headers, certificates and the like are read
 * from the environment by the OpenTelemetry exporters.
 */
export interface OtelSettings {
  readonly disabled: boolean;
  readonly serviceName: string;
  /** OTEL_RESOURCE_ATTRIBUTES, decoded, with `service.name` where it is given. */
  readonly resourceAttributes: Readonly<Record<string, string>>;
  /** Empty means `none`. */
  readonly exporters: Readonly<Record<Signal, readonly Exporter[]>>;
  readonly protocols: Readonly<Record<Signal, Protocol>>;
  /** `ratio` counts for the ratio samplers alone. */
  readonly sampler: { readonly name: string; readonly ratio: number };
  /** ms. */
  readonly metricExportInterval: number;
  /** ms, at most the interval. */
  readonly metricExportTimeout: number;
}

const SAMPLERS = ['always_on', 'always_off', 'traceidratio'].flatMap((name) => [name, `parentbased_${name}`]);
const PROTOCOLS: readonly Protocol[] = ['http/protobuf', 'http/json', 'grpc'];
/** Longest delay of a timer of Node.js, ms. */
const MAX_MS = 2 ** 31 - 1;

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads the OTEL_* variables. A value that is not allowed is told to `warn` and counts as unset, an empty one counts as
 * unset (source: OpenTelemetry environment variable specification).
 */
export function readOtel(env: Env, defaults: OtelSettings, warn: (text: string) => void): OtelSettings {
  const word = <Word extends string>(name: string, words: readonly Word[], fallback: Word): Word => {
    const text = env[name]?.trim().toLowerCase();
    if (text === undefined || text === '') return fallback;
    const known = words.find((candidate) => candidate === text);
    if (known === undefined)
      warn(`${name}: "${env[name]}" is not supported, ${fallback} is used; allowed: ${words.join(', ')}`);
    return known ?? fallback;
  };
  const milliseconds = (name: string, fallback: number): number => {
    const text = env[name]?.trim() ?? '';
    if (text === '') return fallback;
    const value = Number(text);
    if (Number.isInteger(value) && value > 0 && value <= MAX_MS) return value;
    warn(`${name}: "${env[name]}" is not a positive number of milliseconds, ${fallback} is used`);
    return fallback;
  };
  const exporters = (signal: Signal): readonly Exporter[] => {
    const name = `OTEL_${signal.toUpperCase()}_EXPORTER`;
    const items = splitList(env[name]?.toLowerCase() ?? '');
    if (items.length === 0) return defaults.exporters[signal];
    if (items.length === 1 && items[0] === 'none') return [];
    const known = items.filter((item) => item === 'otlp' || item === 'console');
    for (const item of items) {
      if (item === 'none') warn(`${name}: "none" stands beside other exporters and is ignored`);
      else if (item !== 'otlp' && item !== 'console')
        warn(`${name}: "${item}" is not supported and is ignored; allowed: otlp, console, none`);
    }
    return known.length === 0 ? defaults.exporters[signal] : [...new Set(known)];
  };

  const protocol = word('OTEL_EXPORTER_OTLP_PROTOCOL', PROTOCOLS, defaults.protocols.traces);
  const interval = milliseconds('OTEL_METRIC_EXPORT_INTERVAL', defaults.metricExportInterval);
  const attributes =
    resourceAttributes(env.OTEL_RESOURCE_ATTRIBUTES ?? '', warn) ?? defaults.resourceAttributes;
  const protocols = perSignal((signal) =>
    word(`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_PROTOCOL`, PROTOCOLS, protocol),
  );
  for (const [name, used] of [
    ['OTEL_EXPORTER_OTLP_ENDPOINT', Object.values(protocols)] as const,
    ...SIGNALS.map(
      (signal) => [`OTEL_EXPORTER_OTLP_${signal.toUpperCase()}_ENDPOINT`, [protocols[signal]]] as const,
    ),
  ])
    if (!isEndpoint(env[name]?.trim() ?? '', used))
      warn(`${name}: "${maskUrls(env[name]!)}" is no URL of http or https, and nothing will arrive there`);
  const serviceName = env.OTEL_SERVICE_NAME?.trim() || attributes['service.name'];
  return {
    disabled: word('OTEL_SDK_DISABLED', ['true', 'false'], 'false') === 'true',
    serviceName: serviceName || defaults.serviceName,
    resourceAttributes: serviceName ? { ...attributes, 'service.name': serviceName } : attributes,
    exporters: perSignal(exporters),
    protocols,
    sampler: readSampler(env, word('OTEL_TRACES_SAMPLER', SAMPLERS, defaults.sampler.name), defaults, warn),
    metricExportInterval: interval,
    metricExportTimeout: Math.min(
      milliseconds('OTEL_METRIC_EXPORT_TIMEOUT', defaults.metricExportTimeout),
      interval,
    ),
  };
}

/** gRPC has names of its own for where to connect to. */
function isEndpoint(text: string, protocols: readonly Protocol[]): boolean {
  if (text === '' || protocols.every((protocol) => protocol === 'grpc')) return true;
  return /^https?:\/\/./.test(text) && URL.canParse(text);
}

function perSignal<Value>(read: (signal: Signal) => Value): Record<Signal, Value> {
  return { traces: read('traces'), metrics: read('metrics'), logs: read('logs') };
}

function readSampler(
  env: Env,
  name: string,
  defaults: OtelSettings,
  warn: (text: string) => void,
): OtelSettings['sampler'] {
  const text = env.OTEL_TRACES_SAMPLER_ARG?.trim() ?? '';
  if (text === '' || !name.endsWith('traceidratio')) return { name, ratio: defaults.sampler.ratio };
  const ratio = Number(text);
  if (ratio >= 0 && ratio <= 1) return { name, ratio };
  warn(`OTEL_TRACES_SAMPLER_ARG: "${text}" is not a number from 0 to 1, ${defaults.sampler.ratio} is used`);
  return { name, ratio: defaults.sampler.ratio };
}

/** Percent-decoded pairs; undefined when any of them is malformed, as all must be dropped then (resource specification). */
function resourceAttributes(text: string, warn: (text: string) => void): Record<string, string> | undefined {
  const attributes: Record<string, string> = {};
  try {
    for (const pair of splitList(text)) {
      const parts = pair.split('=').map((part) => decodeURIComponent(part.trim()));
      const [key = '', value = ''] = parts;
      if (parts.length !== 2 || key === '') throw new RangeError(`"${pair}" is not key=value`);
      attributes[key] = value;
    }
    return attributes;
  } catch (error) {
    const reason = error instanceof RangeError ? error.message : 'it is not percent-encoded as it must be';
    warn(
      `OTEL_RESOURCE_ATTRIBUTES is ignored: ${reason}; "," and "=" within a value must be percent-encoded`,
    );
    return undefined;
  }
}
