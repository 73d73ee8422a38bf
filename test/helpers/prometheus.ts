import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { answers, startServer } from './server-process.ts';

export interface InstantSample {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds since the Unix epoch, and the value as Prometheus writes it. */
  readonly value: readonly [number, string];
}

export interface RangeSeries {
  readonly metric: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [number, string])[];
}

export interface Prometheus {
  readonly url: string;
  /** An instant vector at `time`, seconds since the Unix epoch. Throws Prometheus's own message. */
  query(expr: string, time?: number): Promise<InstantSample[]>;
  queryRange(expr: string, start: number, end: number, step: number): Promise<RangeSeries[]>;
  /** Label sets of the series that match, `__name__` included. */
  series(matcher: string): Promise<Record<string, string>[]>;
  /** Any other GET of the HTTP API, for example `rules`; gives its `data`. */
  get<T>(path: string, parameters?: Readonly<Record<string, string>>): Promise<T>;
  /** Fulfils when `ready` holds. */
  until(what: string, ready: () => boolean | Promise<boolean>, limitMs?: number): Promise<void>;
  stop(): Promise<void>;
}

export interface PrometheusOptions {
  /** Takes OTLP at `/api/v1/otlp/v1/metrics`; needs Prometheus 3. */
  readonly otlp?: boolean;
  readonly ruleFiles?: readonly string[];
  /** Samples that it has from the start, in the format of OpenMetrics, and the promtool that writes them into its database. */
  readonly samples?: { readonly text: string; readonly promtool: string };
  /** More of prometheus.yml. */
  readonly config?: string;
}

/** Path of a `prometheus` on PATH and its version, such as `2.42.0`; undefined where there is none. */
export function installedPrometheus(): { path: string; version: string } | undefined {
  const { stdout, stderr, status } = spawnSync('prometheus', ['--version'], { encoding: 'utf8' });
  const version = /version (\d[^ ]*)/.exec(`${stdout}${stderr}`)?.[1];
  return status === 0 && version !== undefined ? { path: 'prometheus', version } : undefined;
}

/** Starts Prometheus on a free port with an empty database in a temporary folder, and waits until it is ready. */
export async function startPrometheus(binary: string, options: PrometheusOptions = {}): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'taskwarden-prometheus-'));
  await writeFile(join(folder, 'prometheus.yml'), configuration(options));
  if (options.samples !== undefined) await writeBlocks(options.samples, folder);
  const url = `http://127.0.0.1:${await freePort()}`;
  const server = startServer(binary, [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    `--web.listen-address=${new URL(url).host}`,
    ...(options.otlp ? ['--web.enable-otlp-receiver'] : []),
  ]);
  const stop = async () => {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await server.until('ready', () => answers(`${url}/-/ready`));
  } catch (error) {
    await stop();
    throw error;
  }
  const get = <T>(path: string, parameters: Readonly<Record<string, string>> = {}) =>
    request<T>(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
  return {
    url,
    get,
    stop,
    until: server.until,
    query: async (expr, time) => {
      const at: Record<string, string> = time === undefined ? {} : { time: String(time) };
      return (await get<{ result: InstantSample[] }>('query', { query: expr, ...at })).result;
    },
    queryRange: async (expr, start, end, step) => {
      const range = { query: expr, start: String(start), end: String(end), step: String(step) };
      return (await get<{ result: RangeSeries[] }>('query_range', range)).result;
    },
    series: (matcher) => get('series', { 'match[]': matcher }),
  };
}

function configuration({ otlp, ruleFiles = [], config = '' }: PrometheusOptions): string {
  const lines = ['global: {scrape_interval: 15s, evaluation_interval: 1s}'];
  if (ruleFiles.length > 0) lines.push(`rule_files: ${JSON.stringify(ruleFiles)}`);
  if (otlp) {
    lines.push(
      'otlp: {translation_strategy: UnderscoreEscapingWithSuffixes}',
      'storage: {tsdb: {out_of_order_time_window: 30m}}',
    );
  }
  return `${[...lines, config].join('\n')}\n`;
}

async function writeBlocks(
  { text, promtool }: { readonly text: string; readonly promtool: string },
  folder: string,
): Promise<void> {
  const file = join(folder, 'samples.txt');
  await writeFile(file, text);
  const args = ['tsdb', 'create-blocks-from', 'openmetrics', file, join(folder, 'data')];
  const { status, stderr } = spawnSync(promtool, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
}

async function request<T>(url: string): Promise<T> {
  const response = await fetch(url);
  const body = (await response.json()) as { status: string; error?: string; data: T };
  if (body.status !== 'success') throw new Error(`${url}: ${body.error ?? response.status}`);
  return body.data;
}
