import { isMainThread } from 'node:worker_threads';
import { EventFile } from './bridge/event-file.ts';
import { exposeGcShare } from './bridge/gc-share.ts';
import { exposeHeapFigures } from './bridge/heap-figures.ts';
import { oldSpaceLimit } from './bridge/heap-limit.ts';
import { startHeartbeat } from './bridge/heartbeat.ts';
import { Outbox } from './bridge/outbox.ts';
import { createShared, END, I32, type Shared } from './bridge/protocol.ts';
import { type AgentLink, connectAgent } from './bridge/spawn.ts';
import { type Config, loadConfig } from './config/config.ts';
import { flushAtExit } from './exit.ts';
import { fillChannels } from './instrument/channels.ts';
import { type Instrumented, watchModules } from './instrument/load.ts';
import { replaceMethod } from './instrument/patch.ts';
import { watchTimers } from './instrument/timers.ts';
import { needThread } from './model/action.ts';
import { TaskwardenError } from './model/errors.ts';
import { VERSION } from './model/package.ts';
import { Sdk } from './sdk/sdk.ts';
import { Breakers } from './tasks/breakers.ts';
import type { CurrentRun } from './tasks/context.ts';
import { enforce } from './tasks/enforcement.ts';
import { Collector } from './tasks/meters/collector.ts';
import { CpuMeter, supportsExact } from './tasks/meters/cpu.ts';
import { Duplicates } from './tasks/meters/duplicates.ts';
import { meterGc } from './tasks/meters/gc.ts';
import { HandleMeter } from './tasks/meters/handles.ts';
import { JobSample } from './tasks/meters/jobs.ts';
import { NetworkMeter } from './tasks/meters/network.ts';
import { exposeSlot } from './tasks/meters/slot.ts';
import { agentFaultReporter, faultReporter, Tasks } from './tasks/run.ts';
import { Tally } from './tasks/tally.ts';
import { Workers } from './tasks/workers.ts';

export type { Config } from './config/config.ts';
export type { Instrumented } from './instrument/load.ts';
export { TaskwardenError } from './model/errors.ts';
export type { CurrentRun } from './tasks/context.ts';

/** A running instrumentation of this thread. */
export interface Taskwarden {
  readonly config: Config;
  /** Copies of known libraries that were loaded, and what became of them. */
  readonly instrumented: readonly Instrumented[];
}

interface Running extends Taskwarden {
  tasks: Tasks;
  stop(): void;
}

/** One instrumentation a thread, whatever number of copies of this module is loaded. */
const RUNNING = Symbol.for('taskwarden.running');
const globals = globalThis as { [RUNNING]?: Running };

/** How long a broken rule file that was named explicitly may take to be found at the start, ms. */
const START_TIMEOUT_MS = 5000;
const FLUSH_TIMEOUT_MS = 1000;
/** What the agent thread may grow to beside its series, and with each of them, MB: several times what it needs. */
const AGENT_HEAP_MB = 512;
const SERIES_MB = 0.004;

/**
 * Starts Taskwarden in this thread: `import 'taskwarden/register'` does it for you. Libraries that are loaded afterwards are
 * instrumented. A second call gives back the first's result.
 *
 * @returns undefined when the configuration says that Taskwarden is disabled
 * @throws TaskwardenError when the configuration or a rule file named in it cannot be used
 */
export function start(): Taskwarden | undefined {
  if (globals[RUNNING] !== undefined) return globals[RUNNING];
  const config = loadConfig();
  if (!config.enabled || config.otel.disabled) return undefined;
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
  } catch (error) {
    agent.close();
    throw error;
  }
  globals[RUNNING] = instrument(config, outbox, agent, { onError, warn });
  return globals[RUNNING];
}

function instrument(
  config: Config,
  outbox: Outbox,
  agent: AgentLink,
  { onError, warn }: { onError: (part: string, error: unknown) => void; warn: (text: string) => void },
): Running {
  const { shared } = outbox;
  const tally = new Tally();
  const cpu = new CpuMeter(shared, { ...config.cpu, nodeOptions: config.nodeOptions, tally });
  const sdk = new Sdk({
    version: VERSION,
    spans: config.spans && config.otel.exporters.traces.length > 0,
    sampler: config.otel.sampler,
    producer: config.telemetry.parent,
    onSpan: (span) => outbox.span(span),
  });
  const sample = config.jobs.watch ? new JobSample(shared, tally) : undefined;
  const network = config.network
    ? new NetworkMeter({
        maxServers: config.maxServers,
        replace: replaceMethod,
        onError: (error) => onError('network', error),
      })
    : undefined;
  const handles = config.handles.watch
    ? new HandleMeter({
        graceMs: config.handles.grace,
        tally,
        replace: replaceMethod,
        above: network && ((socket) => network.above(socket)),
        onError: (error) => onError('handles', error),
      })
    : undefined;
  const breakers = new Breakers(config.maxServers);
  const tasks = new Tasks({
    outbox,
    cpu,
    openScope: (info) => sdk.open(info),
    onError,
    network: config.network,
    networkMeter: network,
    handles,
    guard: isMainThread && config.actions.includes('terminate-run'),
    jobs: sample && { sample, duplicates: new Duplicates(), tally },
  });
  const workers = isMainThread && needThread(config.actions) ? new Workers() : undefined;
  const modules = watchModules({
    host: {
      tasks,
      sdk,
      workers,
      breakers,
      network,
      queueSeen: config.queues.watch === 'off' ? undefined : (seen) => void outbox.queue(seen),
    },
    onError,
    warn,
  });
  const collector = new Collector((collection) => outbox.collection(collection));
  const meters = [
    meterGc(shared, () => collector.ended()),
    () => void collector.stop(),
    fillChannels({ network, onError: (error) => onError('network', error) }),
    ...(network === undefined ? [] : [network.start()]),
    ...(handles === undefined ? [] : [handles.start(), watchHandleTimers(handles, config)]),
  ];
  if (workers !== undefined) agent.onGone(() => void workers.resumeAll());
  const stopEnforcement = workers === undefined ? () => {} : allowActions(tasks, workers, cpu, config);
  cpu.start();
  const heartbeat = startHeartbeat({
    shared,
    intervalMs: config.watch.interval,
    heapLimit: oldSpaceLimit(config.nodeOptions),
    onBeat: (now, elapsed) => {
      cpu.check(now, elapsed);
      const asked = outbox.collectionAsked;
      if (asked === 'natural') collector.natural(now);
      else if (asked === 'exact') collector.exact();
    },
    onRefresh: () => {
      network?.check();
      tasks.publish();
      sample?.check();
      handles?.check(performance.now());
      tally.flush(outbox);
      network?.flush(outbox);
      breakers.flush(outbox);
    },
    onError,
  });
  outbox.onBusy = heartbeat.wake;
  const hideSlot = exposeSlot();
  const hideHeap = exposeHeapFigures(shared);
  const hideGc = exposeGcShare();
  const forgetExit = flushAtExit({
    flush: ({ kind, code }) => {
      tellEnd(shared, END[kind], code);
      tally.flush(outbox);
      network?.check();
      network?.flush(outbox);
      breakers.flush(outbox);
      agent.flush(FLUSH_TIMEOUT_MS);
      agent.close();
    },
    hangUp: () => {
      if (config.rulesReload) agent.reload();
    },
    stopping: (signal) => void Atomics.store(shared.i32, I32.stopSignal, signal),
  });
  return {
    config,
    instrumented: modules.instrumented,
    tasks,
    stop() {
      forgetExit();
      hideSlot();
      hideHeap();
      hideGc();
      outbox.onBusy = undefined;
      heartbeat.stop();
      cpu.stop();
      network?.check();
      for (const stopMeter of meters) stopMeter();
      stopEnforcement();
      modules.stop();
      tally.flush(outbox);
      network?.flush(outbox);
      breakers.flush(outbox);
      tellEnd(shared, END.stopped, 0);
      agent.flush(FLUSH_TIMEOUT_MS);
      agent.close();
    },
  };
}

function allowActions(tasks: Tasks, workers: Workers, cpu: CpuMeter, { nodeOptions }: Config): () => void {
  return enforce({
    runIn: (slot) => tasks.runIn(slot),
    inFlight: () => tasks.inFlight,
    workers,
    unchecked: nodeOptions.includes('--no-force-async-hooks-checks') && supportsExact(nodeOptions),
    unhook: () => cpu.stop(),
    exit: (code) => process.exit(code),
  });
}

function watchHandleTimers(handles: HandleMeter, config: Config): () => void {
  return watchTimers({
    graceMs: config.handles.grace,
    opened: (run, timer) => handles.opened(run, timer, 'timer'),
  });
}

/** Runs in flight are lost when the process ends, and are not when only Taskwarden does. */
function tellEnd({ i32 }: Shared, kind: number, code: number): void {
  Atomics.store(i32, I32.endCode, code);
  Atomics.store(i32, I32.endKind, kind);
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
 * one that settles alike. Of a thenable that is no promise, such as the builder of a query, only the call is the run: an async function
 * around it makes it whole.
 *
 * @throws TypeError for arguments of another type, and for names that are empty
 * @example const resize = task('resize', async (image) => { … }, { queue: 'images' });
 */
export function task<F extends (this: never, ...args: never[]) => unknown>(
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
  return (text) => console.error(`taskwarden: ${text}`);
}

/** The thread's module lies beside this one, in the sources as in the build. */
function agentUrl(): URL {
  return import.meta.url.endsWith('.ts')
    ? new URL('./agent/thread.ts', import.meta.url)
    : new URL('./agent.js', import.meta.url);
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
