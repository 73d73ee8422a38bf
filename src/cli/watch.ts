import { Pipeline } from '../agent/pipeline.ts';
import { type Config, loadConfig } from '../config/config.ts';
import { mask } from '../config/describe.ts';
import { TaskwardenError } from '../model/errors.ts';
import { SYSTEM_NAMES } from '../queues/systems.ts';
import { parseTarget } from '../queues/target.ts';
import { type ExitCode, FINE, FOUND, type Io } from './io.ts';
import { parseWatch, WATCH_USAGE, type WatchArguments } from './watch-arguments.ts';

/** A process that does nothing but watch can afford to look more often, and keep more. */
const INTERVAL_MS = 5000;
const MAX_SERIES = 100_000;

/** Watches queues until a signal comes. */
export async function runWatch(
  io: Io,
  args: readonly string[],
  wrongUse: (message: string, usage: string) => ExitCode,
): Promise<ExitCode> {
  let asked: WatchArguments;
  try {
    asked = parseWatch(args, SYSTEM_NAMES);
  } catch (error) {
    return wrongUse((error as Error).message, WATCH_USAGE);
  }
  if (asked.help) {
    io.out(WATCH_USAGE);
    return FINE;
  }
  try {
    const config = configure(loadConfig({ env: io.env, cwd: io.cwd }), asked);
    const addresses =
      asked.redis.length > 0 ? asked.redis : [config.queues.redis].filter((url) => url !== '');
    if (addresses.length === 0)
      return wrongUse('watch needs --redis, or queues.redis in the configuration', WATCH_USAGE);
    const targets = addresses.map((url) => parseTarget(url, asked.readFrom));
    for (const warning of config.warnings) io.err(`taskwarden: ${warning}`);
    const pipeline = new Pipeline(config, { sidecar: true });
    await pipeline.load();
    await pipeline.connect();
    for (const target of targets)
      for (const selection of asked.selections) await pipeline.watchQueues(target, selection);
    io.out(`watching ${addresses.map((url) => mask('redis', url)).join(', ')}`);
    await untilSignal(() => pipeline.reloadRules());
    await pipeline.stop();
    // Watched rule files and the HTTP API would keep the process.
    return process.exit(FINE);
  } catch (error) {
    if (!(error instanceof TaskwardenError)) throw error;
    io.err(`taskwarden: ${error.message}`);
    return FOUND;
  }
}

/** The configuration of a worker's agent, but for what the arguments say and what a process of its own can afford. */
function configure(config: Config, { rules, interval }: WatchArguments): Config {
  const set = (option: string): boolean => config.sources[option] !== undefined;
  return {
    ...config,
    rules: [...config.rules, ...rules],
    queues: {
      ...config.queues,
      interval: interval ?? (set('queues.interval') ? config.queues.interval : INTERVAL_MS),
    },
    store: {
      ...config.store,
      // Polls add samples between the steps, which take room for as much time.
      retention: set('store.retention') ? config.store.retention : 2 * config.store.retention,
      maxSeries: set('store.max_series') ? config.store.maxSeries : MAX_SERIES,
    },
  };
}

function untilSignal(onHangup: () => void): Promise<void> {
  process.on('SIGHUP', onHangup);
  return new Promise((resolve) => {
    process.once('SIGTERM', resolve);
    process.once('SIGINT', resolve);
  });
}
