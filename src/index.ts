import { isMainThread } from 'node:worker_threads';
import { EventFile } from './bridge/event-file.ts';
import { Outbox } from './bridge/outbox.ts';
import { createShared } from './bridge/protocol.ts';
import { type AgentLink, connectAgent } from './bridge/spawn.ts';
import { type Config, loadConfig } from './config/config.ts';
import { narrowAddressSpace } from './main/address-space.ts';
import { type MainSide, startMainSide } from './main/main-side.ts';
import { TaskwardenError } from './model/errors.ts';
import type { Instrumented } from './model/instrumented.ts';
import { NODE_VERSIONS } from './model/node-versions.ts';
import { warnOnStderr } from './model/stderr.ts';
import { satisfies } from './model/version.ts';
import type { CurrentRun } from './tasks/current-run.ts';
import { agentFaultReporter, faultReporter } from './tasks/run.ts';

export type { Config } from './config/config.ts';
export { TaskwardenError } from './model/errors.ts';
export type { Instrumented } from './model/instrumented.ts';
export type { CurrentRun } from './tasks/current-run.ts';

/** A running instrumentation of this thread. */
export interface Taskwarden {
  readonly config: Config;
  /** Copies of known libraries that were loaded, and what became of them. */
  readonly instrumented: readonly Instrumented[];
}

type Running = Taskwarden & MainSide;

/** One instrumentation a thread, whatever number of copies of this module is loaded. */
const RUNNING = Symbol.for('taskwarden.running');
const globals = globalThis as { [RUNNING]?: Running };

/** How long a broken rule file that was named explicitly may take to be found at the start, ms. */
const START_TIMEOUT_MS = 5000;
/** What the agent thread may grow to beside its series, and with each of them, MB: several times what it needs. */
const AGENT_HEAP_MB = 512;
const SERIES_MB = 0.004;

/**
 * Starts Taskwarden in this thread: `import 'taskwarden/register'` does it for you. Libraries that are loaded afterwards are
 * instrumented. A second call gives back the first's result.
 *
 * @returns undefined when the configuration says that Taskwarden is disabled
 * @throws TaskwardenError when the configuration or a rule file named in it cannot be used; with the code `TASKWARDEN_NODE` when Node.js is
 * too old, and with `TASKWARDEN_MEMORY` when there is no room for the agent thread
 */
export function start(): Taskwarden | undefined {
  if (globals[RUNNING] !== undefined) return globals[RUNNING];
  const config = loadConfig();
  if (!config.enabled || config.otel.disabled) return undefined;
  refuseOldNode();
  refuseSnapshot();
  if (isMainThread) refuseNarrowSpace();
  const warn = warner(config);
  for (const warning of config.warnings) warn(warning);
  const shared = createShared();
  const onError = faultReporter(shared.i32, warn);
  const events = config.recorder !== 'off' ? new EventFile(shared) : undefined;
  const outbox = new Outbox(shared, config.maxTasks, events);
  const agent = connectAgent({
    shared,
    url: agentUrl(),
    config,
    env: config.env,
    maxHeapMb: AGENT_HEAP_MB + Math.ceil(config.store.maxSeries * SERIES_MB),
    told: () => outbox.told(),
    onFault: agentFaultReporter(warn),
  });
  agent.onGone(() => events?.goOn(outbox.told().tasks));
  try {
    if (isMainThread && config.rules.length > 0) refuseBrokenRules(agent, warn);
    const main = startMainSide({ config, outbox, agent, onError, warn });
    globals[RUNNING] = { config, ...main };
    return globals[RUNNING];
  } catch (error) {
    agent.close();
    throw error;
  }
}

/**
 * Takes all patches of libraries back, has everything exported (blocking, at most a second) and ends the agent's part for this thread. Spans
 * that the application makes with a tracer it has got before go nowhere from then on.
 */
export function stop(): void {
  globals[RUNNING]?.stop();
  delete globals[RUNNING];
}

export interface TaskOptions {
  /** What `messaging.destination.name` says; default: the name of the task. */
  queue?: string;
  /** What `messaging.system` says; default: `custom`. */
  framework?: string;
  /** Id of the job from the handler's arguments. */
  jobId?: (...args: never[]) => string | number;
}

/**
 * Makes a function a task: each call is a run with span, metrics and alerts, as the handlers of instrumented libraries are. The
 * result has the name, arity, `this`, return value and errors of the function; for a plain promise, which ends the run, it gives another
 * one that settles alike. Of a generator, and of a thenable that is no promise, such as the builder of a query, only the call is the run: an async function
 * around it makes it whole.
 *
 * @throws TypeError for arguments of another type, and for names that are empty
 * @example const resize = task('resize', async (image) => { … }, { queue: 'images' });
 */
export function task<F extends (...args: never[]) => unknown>(
  name: string,
  handler: F,
  options: TaskOptions = {},
): F {
  const { queue = name, framework = 'custom', jobId } = options;
  for (const [what, text] of Object.entries({ name, 'options.queue': queue, 'options.framework': framework }))
    if (typeof text !== 'string' || text === '')
      throw new TypeError(`task: ${what} must be a text that is not empty`);
  if (typeof handler !== 'function') throw new TypeError('task: handler must be a function');
  if (jobId !== undefined && typeof jobId !== 'function')
    throw new TypeError('task: options.jobId must be a function');
  const isReplaceable = handler instanceof AsyncFunction;
  const wrapped = function (this: unknown, ...args: unknown[]): unknown {
    const call = (): unknown => (handler as unknown as (...all: unknown[]) => unknown).apply(this, args);
    const running = globals[RUNNING];
    if (running === undefined) return call();
    return running.tasks.run(
      () => ({
        framework,
        queue,
        task: name,
        jobId: jobId === undefined ? '' : String((jobId as (...all: unknown[]) => unknown)(...args)),
        attempt: 1,
        waitMs: undefined,
        payloadBytes: undefined,
        carrier: undefined,
        ownSpan: false,
        isReplaceable,
        isDirect: true,
      }),
      call,
    );
  };
  Object.defineProperty(wrapped, 'name', { value: handler.name, configurable: true });
  Object.defineProperty(wrapped, 'length', { value: handler.length, configurable: true });
  return wrapped as unknown as F;
}

/** What other functions return need not be a promise, and nothing else may take its place. */
const AsyncFunction = (async () => {}).constructor;

/** The handler run that the calling code belongs to, with its usage so far; undefined outside of runs. */
export function currentRun(): CurrentRun | undefined {
  return globals[RUNNING]?.tasks.current();
}

/** Standard error, unless `log.level` wants no warnings. */
function warner({ log }: Config): (text: string) => void {
  if (log.level === 'none' || log.level === 'error') return () => {};
  return warnOnStderr;
}

/** The thread's module lies beside this one, in the sources as in the build. */
function agentUrl(): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL('./agent/thread.ts', import.meta.url)
    : new URL('./agent.js', import.meta.url);
}

function refuseOldNode(): void {
  const { node } = process.versions;
  if (satisfies(node, NODE_VERSIONS)) return;
  throw new TaskwardenError('TASKWARDEN_NODE', `Node.js ${NODE_VERSIONS} is needed, and this is ${node}`);
}

/** Such a process aborts as soon as another thread loads `node:v8`. */
function refuseSnapshot(): void {
  if (process.execArgv.some((option) => option.startsWith('--snapshot-blob')))
    throw new TaskwardenError(
      'TASKWARDEN_NODE',
      'a process that begins from a snapshot bears no other thread',
    );
}

function refuseNarrowSpace(): void {
  const limit = narrowAddressSpace();
  if (limit === undefined) return;
  throw new TaskwardenError(
    'TASKWARDEN_MEMORY',
    `its thread needs 1 GiB of address space, most of which is never used, and the process may have ${(limit / 2 ** 30).toFixed(1)} GiB in all (ulimit -v)`,
  );
}

/**
 * Rule files are read by the agent thread, which has printed what is wrong with one before it refuses. An agent that fails otherwise is
 * no reason to keep a worker from its jobs.
 */
function refuseBrokenRules(agent: AgentLink, warn: (text: string) => void): void {
  const waited = agent.waitFor('watching', START_TIMEOUT_MS);
  if (waited === 'refused') {
    throw new TaskwardenError('TASKWARDEN_RULE', 'the rule files named in the configuration cannot be used');
  }
  if (waited !== 'reached')
    warn(`the rule files could not be checked: the agent thread is not ready (${waited})`);
}
