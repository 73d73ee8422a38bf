import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { formatDuration } from '../model/duration.ts';
import { TaskwardenError, type TaskwardenErrorOptions } from '../model/errors.ts';
import { isLoopback, secret, splitAddress } from './address.ts';
import { type Endpoint, locateFiles } from './endpoint.ts';
import { type ConfigFile, readConfigFile } from './file.ts';
import { type Kind, PartNotAllowed } from './kinds.ts';
import {
  DEFAULTS,
  keysOf,
  LOG_LEVELS,
  type LogLevel,
  OPTIONS,
  OTHER_VARIABLES,
  type Settings,
  variableOf,
} from './options.ts';
import { type OtelSettings, readOtel } from './otel.ts';
import { suggestion } from './suggest.ts';

export type { LogLevel, Settings } from './options.ts';
export type { Exporter, OtelSettings, Protocol, Signal } from './otel.ts';

export type Source = 'default' | 'file' | 'env';

/** The effective configuration: frozen, and plain data that can be sent to a thread. Durations are in ms. */
export interface Config extends Settings {
  readonly otel: OtelSettings;
  /** The folder that relative paths, those of rules among them, count from. */
  readonly cwd: string;
  /** The configuration file that was read, absolute. */
  readonly file: string | undefined;
  /** Where each option was set, by its path in the file; options that are not listed have their default. */
  readonly sources: Readonly<Record<string, Source>>;
  /** OTEL_* variables whose values are ignored, one text each; to be logged once. */
  readonly warnings: readonly string[];
  /** The environment of the agent thread: all variables but NODE_OPTIONS, which would run the preload there too. */
  readonly env: Readonly<Record<string, string>>;
  /** Options that Node.js itself was started with, those of NODE_OPTIONS included. */
  readonly nodeOptions: readonly string[];
  /** Whether the main thread may be inspected: Node.js aborts where it is tried under `--permission` without `--allow-inspector`. */
  readonly inspector: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

export interface LoadOptions {
  readonly env?: Environment;
  /** Absolute. */
  readonly cwd?: string;
}

/** The environment of this process: the one place that reads it. */
export function environment(): Environment {
  return process.env;
}

/**
 * Defaults, overridden by taskwarden.yaml, overridden by TASKWARDEN_* variables; and what OTEL_* variables say.
 * `TASKWARDEN_ENABLED=false` ends the reading: nothing else is looked at then.
 * @throws TaskwardenError TASKWARDEN_CONFIG for an unknown option or a value that is not allowed, TASKWARDEN_FILE and
 * TASKWARDEN_YAML for a file that cannot be read.
 */
export function loadConfig({ env: given = environment(), cwd = process.cwd() }: LoadOptions = {}): Config {
  // Each look into process.env calls into the operating system; a copy is looked into for nothing.
  const env: Environment = { ...given };
  const enabled = fromEnv('enabled', env);
  if (enabled === false)
    return freeze({ ...DEFAULTS, ...untouched(env, cwd), enabled, sources: { enabled: 'env' } });
  rejectUnknownVariables(env);

  const warnings: string[] = [];
  const warn = (text: string): void => void warnings.push(text);
  const settings = structuredClone(DEFAULTS) as Settings;
  const otelLevel = otelLogLevel(env, warn);
  if (otelLevel !== undefined) assign(settings, 'log.level', otelLevel);

  const file = readConfigFile(cwd, text(env, 'TASKWARDEN_CONFIG'), Object.keys(OPTIONS));
  const sources: Record<string, Source> = otelLevel === undefined ? {} : { 'log.level': 'env' };
  for (const path of Object.keys(OPTIONS)) {
    const own = path === 'enabled' ? enabled : fromEnv(path, env);
    // Read even where the environment wins: a mistake in the file is one all the same.
    const inFile = file === undefined ? undefined : fromFile(path, file, cwd);
    const value = own ?? inFile;
    if (value === undefined) continue;
    assign(settings, path, value);
    sources[path] = own === undefined ? 'file' : 'env';
  }
  if (settings.httpTokenFile !== '') assign(settings, 'http_token', readToken(settings, cwd));
  checkTogether(settings);
  const otel = readOtel(env, DEFAULTS.otel, warn);
  return freeze({ ...settings, ...untouched(env, cwd), otel, file: file?.path, sources, warnings });
}

/** What the configuration holds beside settings, before anything is read. */
function untouched(env: Environment, cwd: string) {
  const copy: Record<string, string> = {};
  for (const [name, value] of Object.entries(env))
    if (name !== 'NODE_OPTIONS' && value !== undefined) copy[name] = value;
  const nodeOptions = [
    ...process.execArgv,
    ...(env.NODE_OPTIONS ?? '').split(/\s+/).filter((option) => option !== ''),
  ];
  const inspector = process.features.inspector && process.permission?.has('inspector') !== false;
  return { otel: DEFAULTS.otel, cwd, file: undefined, warnings: [], env: copy, nodeOptions, inspector };
}

/** An empty variable counts as unset. */
function text(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim();
  return value === '' ? undefined : value;
}

function fromEnv(path: string, env: Environment): unknown {
  const name = variableOf(path);
  const raw = text(env, name);
  if (raw === undefined) return undefined;
  return parse(OPTIONS[path]!.kind, name, raw);
}

function fromFile(path: string, file: ConfigFile, cwd: string): unknown {
  const found = file.values.get(path);
  if (found === undefined) return undefined;
  const { kind } = OPTIONS[path]!;
  const value = parse(kind, path, found.raw, { file: file.name, position: found.position });
  if (kind.type === 'endpoints') return locateFiles(value as Endpoint[], path, dirname(file.path));
  if (path === 'http_token_file') return fromFolder(value as string, file, cwd);
  if ((path === 'state.dir' || path === 'evidence.dir') && value !== 'auto' && value !== 'off')
    return fromFolder(value as string, file, cwd);
  return path === 'rules' ? (value as string[]).map((rule) => fromFolder(rule, file, cwd)) : value;
}

/** Paths in the file count from its folder; those in the configuration from `cwd`. */
function fromFolder(path: string, file: ConfigFile, cwd: string): string {
  const folder = relative(cwd, dirname(file.path));
  return folder === '' || isAbsolute(path) ? path : join(folder, path);
}

/** @throws TaskwardenError TASKWARDEN_CONFIG that names the option, the value and what is allowed */
function parse(kind: Kind, option: string, raw: unknown, place: TaskwardenErrorOptions = {}): unknown {
  try {
    const value = kind.parse(raw);
    if (value !== undefined) return value;
    throw new PartNotAllowed('', kind === secret ? 'the value' : JSON.stringify(raw), kind.allowed);
  } catch (error) {
    if (!(error instanceof PartNotAllowed)) throw error;
    throw new TaskwardenError('TASKWARDEN_CONFIG', `${option}${error.path}: ${error.message}`, place);
  }
}

function rejectUnknownVariables(env: Environment): void {
  let known: string[] | undefined;
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('TASKWARDEN_') || isServiceLink(name, value)) continue;
    known ??= [...Object.keys(OPTIONS).map(variableOf), ...OTHER_VARIABLES];
    if (known.includes(name)) continue;
    const hint = suggestion(name, known) || `; known: ${known.join(', ')}`;
    throw new TaskwardenError('TASKWARDEN_CONFIG', `unknown environment variable ${name}${hint}`);
  }
}

/**
 * Kubernetes tells every pod of a namespace of each service there: of one named `taskwarden-watch` by TASKWARDEN_WATCH_SERVICE_HOST,
 * TASKWARDEN_WATCH_PORT=tcp://10.0.0.11:9464 and the like (source: its documentation, "Accessing the Service", environment variables).
 */
function isServiceLink(name: string, value: string | undefined): boolean {
  if (/_SERVICE_(HOST|PORT(_\w+)?)$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name)) return true;
  return name.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(value ?? '');
}

/** OTEL_LOG_LEVEL holds for Taskwarden too, unless its own option is set. */
function otelLogLevel(env: Environment, warn: (text: string) => void): LogLevel | undefined {
  const raw = text(env, 'OTEL_LOG_LEVEL');
  const word = raw?.toLowerCase();
  if (word === undefined) return undefined;
  if (word === 'verbose' || word === 'all') return 'debug';
  const level = LOG_LEVELS.find((known) => known === word);
  if (level === undefined)
    warn(
      `OTEL_LOG_LEVEL: "${raw}" is not known and is ignored; allowed: ${LOG_LEVELS.join(', ')}, verbose, all`,
    );
  return level;
}

function checkTogether({ store, watch, http, httpToken }: Settings): void {
  atLeast('store.retention', store.retention, 'store.step', store.step);
  atLeast('watch.threshold', watch.threshold, 'twice watch.interval', 2 * watch.interval);
  if (http !== '' && httpToken === '' && !isLoopback(splitAddress(http).host)) {
    const message = `http: "${http}" can be reached from other machines and needs http_token or http_token_file; without one allowed: 127.0.0.1, [::1] or localhost`;
    throw new TaskwardenError('TASKWARDEN_CONFIG', message);
  }
}

function readToken({ httpToken, httpTokenFile: file }: Settings, cwd: string): string {
  if (httpToken !== '')
    throw new TaskwardenError('TASKWARDEN_CONFIG', 'http_token and http_token_file: only one may be set');
  let text: string;
  try {
    text = readFileSync(resolve(cwd, file), 'utf8');
  } catch (cause) {
    const message = `the token of the HTTP API cannot be read: ${(cause as Error).message}`;
    throw new TaskwardenError('TASKWARDEN_FILE', message, { file, cause });
  }
  const token = secret.parse(text);
  if (token === undefined)
    throw new TaskwardenError(
      'TASKWARDEN_CONFIG',
      `http_token_file: the content is not allowed; allowed: ${secret.allowed}`,
      { file },
    );
  return token;
}

function atLeast(option: string, value: number, other: string, least: number): void {
  if (value >= least) return;
  const message = `${option} (${formatDuration(value)}) must be at least ${other} (${formatDuration(least)})`;
  throw new TaskwardenError('TASKWARDEN_CONFIG', message);
}

function assign(settings: Settings, path: string, value: unknown): void {
  const keys = keysOf(path);
  let target = settings as unknown as Record<string, unknown>;
  for (const key of keys.slice(0, -1)) target = target[key] as Record<string, unknown>;
  target[keys.at(-1)!] = value;
}

function freeze<Value extends object>(value: Value): Value {
  for (const part of Object.values(value)) if (typeof part === 'object' && part !== null) freeze(part);
  return Object.freeze(value);
}
