import { parseArgs } from 'node:util';
import { parseDuration } from '../model/duration.ts';

export const WATCH_USAGE = `Usage:
  taskwarden watch --redis URL [--redis URL]... [options]

Watches the queues of any number of Redis instances, without a worker: rules, alerts and OTLP as in a worker.

  --redis URL         redis://user:password@host:6379/0, rediss:// for TLS, redis-sentinel://host,host?master=NAME,
                      redis-cluster://host,host, unix:///path?db=0; may be repeated. Default: queues.redis of the configuration
  --system NAME       only queues of this library (bullmq, bull, bee-queue, node-resque, asynq); may be repeated
  --prefix NAME=TEXT  prefix of a library's keys where it is not its own, such as bullmq=jobs; may be repeated
  --queue NAME=QUEUE  watches this queue of a library also while it is not found, such as asynq=critical; may be repeated
  --rules FILE        rule files, or globs, beside those of the configuration; may be repeated
  --interval TIME     time between two polls, such as 5s; default: queues.interval where it is set, else 5s
  --read-from WHERE   primary or replica; default: primary

SIGHUP reads the rule files again; SIGTERM and SIGINT end it, after what is known has been exported.

Exit codes: 0 ended by a signal, 1 it cannot run as configured, 2 wrong use.`;

/** What is to be watched. */
export interface WatchArguments {
  readonly help: boolean;
  readonly redis: readonly string[];
  readonly readFrom: 'primary' | 'replica';
  /** Rule files beside those of the configuration. */
  readonly rules: readonly string[];
  /** ms; undefined where none is given. */
  readonly interval: number | undefined;
  readonly selections: readonly { system: string; prefix: string | undefined; queues: readonly string[] }[];
}

const OPTIONS = {
  redis: { type: 'string', multiple: true },
  system: { type: 'string', multiple: true },
  prefix: { type: 'string', multiple: true },
  queue: { type: 'string', multiple: true },
  rules: { type: 'string', multiple: true },
  interval: { type: 'string' },
  'read-from': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

const LEAST_INTERVAL_MS = 1000;

/**
 * @param known names of the queue systems
 * @throws Error that says what is wrong with the arguments
 */
export function parseWatch(args: readonly string[], known: readonly string[]): WatchArguments {
  const { values, positionals } = parseArgs({ args: [...args], options: OPTIONS, allowPositionals: true });
  if (positionals.length > 0) throw new Error(`watch takes no argument "${positionals[0]}"`);
  const { redis = [], system = [], prefix = [], queue = [], rules = [], help = false } = values;
  const readFrom = values['read-from'] ?? 'primary';
  if (readFrom !== 'primary' && readFrom !== 'replica')
    throw new Error(`--read-from: "${readFrom}" is not allowed; allowed: primary, replica`);
  const interval = values.interval === undefined ? undefined : parseDuration(values.interval);
  if (values.interval !== undefined && (interval === undefined || interval < LEAST_INTERVAL_MS))
    throw new Error(
      `--interval: "${values.interval}" is not allowed; allowed: a duration from 1s, such as 5s`,
    );
  const prefixes = pairs('--prefix', prefix, known);
  const queues = pairs('--queue', queue, known);
  for (const name of system)
    if (!known.includes(name))
      throw new Error(`--system: "${name}" is not known; known: ${known.join(', ')}`);
  const systems = system.length > 0 ? system : known;
  for (const [name] of [...prefixes, ...queues])
    if (!systems.includes(name))
      throw new Error(`${name} has a prefix or a queue, but is not watched (--system)`);
  const of = (all: readonly (readonly [string, string])[], name: string): string[] =>
    all.filter(([one]) => one === name).map(([, value]) => value);
  const selections = systems.flatMap((name) => {
    const own = of(prefixes, name);
    return (own.length > 0 ? own : [undefined]).map((each) => ({
      system: name,
      prefix: each,
      queues: of(queues, name),
    }));
  });
  return { help, redis, readFrom, rules, interval, selections };
}

function pairs(option: string, texts: readonly string[], known: readonly string[]): [string, string][] {
  return texts.map((text) => {
    const at = text.indexOf('=');
    const name = text.slice(0, Math.max(0, at));
    if (at < 1 || at === text.length - 1 || !known.includes(name))
      throw new Error(
        `${option}: "${text}" is not allowed; allowed: NAME=TEXT, where NAME is one of ${known.join(', ')}`,
      );
    return [name, text.slice(at + 1)];
  });
}
