import { pathToFileURL } from 'node:url';

/** One way to run the same worker. */
export interface Variant {
  readonly name: string;
  readonly nodeArgs: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly traces: boolean;
}

export const BARE = 'bare';
export const CONTROL = 'bare again';
export const METRICS = 'taskwarden metrics only';
export const SPANS = 'taskwarden with spans';

/**
 * The bare worker, the same once more as control, and the worker preloaded, without and with spans.
 *
 * @param preload path of the preload file.
 * @param endpoint base URL of the OTLP/HTTP receiver.
 */
export function variants(preload: string, endpoint: string): Variant[] {
  const otlp = { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: 'bench' };
  const nodeArgs = ['--import', pathToFileURL(preload).href];
  return [
    { name: BARE, nodeArgs: [], env: {}, traces: false },
    { name: CONTROL, nodeArgs: [], env: {}, traces: false },
    { name: METRICS, nodeArgs, env: { ...otlp, OTEL_TRACES_EXPORTER: 'none' }, traces: false },
    { name: SPANS, nodeArgs, env: otlp, traces: true },
  ];
}
