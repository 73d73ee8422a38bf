import { getEnvironmentData, isMainThread, setEnvironmentData, Worker } from 'node:worker_threads';
import { monotonicMs } from '../model/clock.ts';
import { AGENT, I32, openShared, type Shared, STATE, type ThreadStart } from './protocol.ts';
import { offerThread, reportEndedThreads } from './threads.ts';

export interface SpawnOptions {
  readonly shared: Shared;
  /** The agent thread's module. */
  readonly url: URL;
  readonly config: unknown;
  readonly env: Readonly<Record<string, string>>;
  readonly onError: (part: string, error: unknown) => void;
}

/** `refused`: the agent says that the configuration cannot be used; `gone`: it has failed. */
export type Waited = 'reached' | 'refused' | 'gone' | 'timeout';

export interface AgentLink {
  /** Waits, blocking, until the agent has reached a stage. */
  waitFor(stage: keyof typeof AGENT, timeoutMs: number): Waited;
  /**
   * Has everything exported, blocking, for at most `timeoutMs`. A thread beside the main thread only sees to it that the agent knows
   * of what it has written: the process lives on, and exports it in its time.
   */
  flush(timeoutMs: number): void;
  /** Has the rule files read again, without waiting for it. */
  reload(): void;
  /** Tells the agent that this thread ends. */
  close(): void;
}

/** Key under which a thread tells the threads it starts that an agent is there already. */
const AGENT_HERE = 'taskwarden.agent';

/** What is found there. Environment data does not leave the process. */
interface AgentHere {
  /** Memory of the thread that started the agent: it says how far the agent is, and takes requests to flush. */
  readonly buffer: SharedArrayBuffer;
}

/** The agent of this process, or a new one. Threads of one process share one agent. */
export function connectAgent(options: SpawnOptions): AgentLink {
  const here = getEnvironmentData(AGENT_HERE) as unknown as AgentHere | undefined;
  const link = here === undefined ? spawn(options) : share(options.shared, openShared(here.buffer));
  const stopReports = reportEndedThreads();
  return {
    ...link,
    close() {
      stopReports();
      Atomics.store(options.shared.i32, I32.state, STATE.closed);
    },
  };
}

type Link = Omit<AgentLink, 'close'>;

/**
 * Shares an agent that is there already.
 *
 * @param owner memory of the thread that started it
 */
function share({ buffer, i32 }: Shared, owner: Shared): Link {
  let offered = false;
  const once = (): void => {
    if (offered) return;
    offered = true;
    offerThread(buffer);
  };
  // What is sent before the agent listens is lost. Waiting for that keeps nothing alive.
  const { value } = Atomics.waitAsync(owner.i32, I32.agent, AGENT.starting);
  if (typeof value === 'string') once();
  else void value.then(once);
  return {
    waitFor: (stage, timeoutMs) => waitFor(owner, stage, timeoutMs),
    flush(timeoutMs) {
      if (i32[I32.ringHead] === 0) return;
      waitFor(owner, 'watching', timeoutMs);
      once();
      if (isMainThread) flush(owner, timeoutMs);
    },
    reload: () => reload(owner),
  };
}

function spawn({ shared, url, config, env, onError }: SpawnOptions): Link {
  const workerData: ThreadStart = {
    config,
    buffer: shared.buffer,
    clockOffset: monotonicMs() - performance.now(),
  };
  const worker = new Worker(url, {
    name: 'taskwarden',
    workerData,
    // Neither a flag nor NODE_OPTIONS may make the agent thread preload itself.
    execArgv: [],
    env: { ...env, NODE_OPTIONS: '' },
    stdin: false,
    // A small young generation: the agent's garbage must not weigh on the host's memory.
    resourceLimits: { maxYoungGenerationSizeMb: 2 },
    trackUnmanagedFds: false,
  });
  setEnvironmentData(AGENT_HERE, { buffer: shared.buffer } satisfies AgentHere as never);
  const gone = (): void => void Atomics.store(shared.i32, I32.agent, AGENT.gone);
  worker.on('exit', gone);
  worker.on('error', (error) => {
    // The thread has stopped, but may take its time to be gone.
    gone();
    onError('agent thread', error);
  });
  worker.unref();
  return {
    waitFor: (stage, timeoutMs) => waitFor(shared, stage, timeoutMs),
    flush: (timeoutMs) => flush(shared, timeoutMs),
    reload: () => reload(shared),
  };
}

function reload({ i32 }: Shared): void {
  Atomics.add(i32, I32.reloadAsked, 1);
}

function waitFor({ i32 }: Shared, stage: keyof typeof AGENT, timeoutMs: number): Waited {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const at = Atomics.load(i32, I32.agent);
    if (at === AGENT.refused) return 'refused';
    if (at === AGENT.gone) return 'gone';
    if (at >= AGENT[stage]) return 'reached';
    const left = until - performance.now();
    if (left <= 0) return 'timeout';
    Atomics.wait(i32, I32.agent, at, left);
  }
}

function flush({ i32 }: Shared, timeoutMs: number): void {
  // A program that ends at once, without a word to the agent, need not wait until the agent has loaded.
  if (i32[I32.ringHead] === 0 && Atomics.load(i32, I32.agent) === AGENT.starting) return;
  const until = performance.now() + timeoutMs;
  const asked = Atomics.add(i32, I32.flushAsked, 1) + 1;
  Atomics.notify(i32, I32.flushAsked);
  for (;;) {
    const done = Atomics.load(i32, I32.flushDone);
    const left = until - performance.now();
    const gone = Atomics.load(i32, I32.agent) === AGENT.gone;
    if (done >= asked || left <= 0 || gone) return;
    Atomics.wait(i32, I32.flushDone, done, left);
  }
}
