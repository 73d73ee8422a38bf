import { randomUUID } from 'node:crypto';
import { ftruncateSync } from 'node:fs';
import { getEnvironmentData, isMainThread, setEnvironmentData } from 'node:worker_threads';
import { monotonicMs, threadMs } from '../model/clock.ts';
import { AgentThread } from './agent-thread.ts';
import { AGENT, END, I32, openShared, type Shared, STATE, type ThreadStart, type Told } from './protocol.ts';
import { offerThread, reportEndedThreads } from './threads.ts';

export interface SpawnOptions {
  readonly shared: Shared;
  /** The agent thread's module. */
  readonly url: URL;
  readonly config: unknown;
  readonly env: Readonly<Record<string, string>>;
  /** Limit of the agent thread's old generation. */
  readonly maxHeapMb: number;
  /** What an agent has to know of what another has read. */
  readonly told: () => Told;
  /** Told of everything that an agent dies of. */
  readonly onFault: (error: unknown) => void;
}

/** `refused`: the agent says that the configuration cannot be used; `gone`: it has failed. */
export type Waited = 'reached' | 'refused' | 'gone' | 'timeout';

export interface AgentLink {
  /** Waits, blocking, until the agent has reached a stage. */
  waitFor(stage: keyof typeof AGENT, timeoutMs: number): Waited;
  /**
   * Has everything exported, blocking, for at most `timeoutMs`; not at all while no agent is there. A thread beside the main thread only
   * sees to it that the agent knows of what it has written: the process lives on, and exports it in its time.
   */
  flush(timeoutMs: number): void;
  /** Has the rule files read again, without waiting for it. */
  reload(): void;
  /** Calls `listener` whenever the agent has died: another one comes, which knows nothing of what the former one has begun. */
  onGone(listener: () => void): void;
  /** Tells the agent that this thread ends; one that this thread has started and no other shares ends with it. */
  close(): void;
}

/** Key under which a thread tells the threads it starts that an agent is there already. */
const AGENT_HERE = 'taskwarden.agent';

/** What is found there. Environment data does not leave the process. */
interface AgentHere {
  /** Memory of the thread that started the agent: it says how far the agent is, and takes requests to flush. */
  readonly buffer: SharedArrayBuffer;
}

/** The agent that this thread has started, whatever number of copies of this module is loaded. */
const OWN_AGENT = Symbol.for('taskwarden.agent');
const globals = globalThis as { [OWN_AGENT]?: AgentThread };

/** The agent of this process, or a new one. Threads of one process share one agent. */
export function connectAgent(options: SpawnOptions): AgentLink {
  const here = getEnvironmentData(AGENT_HERE) as unknown as AgentHere | undefined;
  const own = globals[OWN_AGENT];
  const isNone = here === undefined || own?.isOver === true;
  const link = isNone ? spawn(options) : share(options, openShared(here.buffer));
  if (!isNone) own?.reopen();
  const stopReports = reportEndedThreads();
  return {
    ...link,
    close() {
      stopReports();
      link.close();
      Atomics.store(options.shared.i32, I32.state, STATE.closed);
    },
  };
}

/**
 * Shares an agent that is there already.
 *
 * @param owner memory of the thread that started it
 */
function share({ shared, told, onFault }: SpawnOptions, owner: Shared): AgentLink {
  const { buffer, i32 } = shared;
  const listeners = new Set<() => void>();
  let isClosed = false;
  Atomics.add(owner.i32, I32.sharers, 1);
  /** The agent that knows of this thread, by the number of its predecessors. */
  let known = -1;
  /** What is sent before an agent listens is lost. */
  const offer = (): void => {
    const restarts = Atomics.load(owner.i32, I32.agentRestarts);
    if (known === restarts || isClosed || !isListening(owner)) return;
    known = restarts;
    offerThread(buffer, told());
  };
  // Waiting for a change keeps nothing alive.
  const follow = async (): Promise<void> => {
    while (!isClosed) {
      const at = Atomics.load(owner.i32, I32.agent);
      try {
        if (at === AGENT.gone) for (const listener of listeners) listener();
        offer();
      } catch (error) {
        onFault(error);
      }
      await Atomics.waitAsync(owner.i32, I32.agent, at).value;
    }
  };
  void follow();
  return {
    waitFor: (stage, timeoutMs) => waitFor(owner, stage, timeoutMs),
    flush(timeoutMs) {
      if (i32[I32.ringHead] === 0) return;
      waitFor(owner, 'watching', timeoutMs);
      offer();
      if (isMainThread) flush(owner, timeoutMs);
    },
    reload: () => reload(owner),
    onGone: (listener) => void listeners.add(listener),
    close() {
      isClosed = true;
      Atomics.sub(owner.i32, I32.sharers, 1);
      globals[OWN_AGENT]?.close();
    },
  };
}

function spawn({ shared, url, config, env, maxHeapMb, told, onFault }: SpawnOptions): AgentLink {
  const { buffer, i32 } = shared;
  const start: ThreadStart = {
    config,
    buffer,
    clockOffset: monotonicMs() - threadMs(),
    instanceId: randomUUID(),
  };
  const listeners = new Set<() => void>();
  const agent = new AgentThread({
    url,
    env,
    maxHeapMb,
    start: (isFirst) => (isFirst ? start : { ...start, told: told() }),
    onDied() {
      takeOver(shared);
      for (const listener of listeners) listener();
    },
    onRestart: () => void Atomics.add(i32, I32.agentRestarts, 1),
    onFault,
  });
  setEnvironmentData(AGENT_HERE, { buffer } satisfies AgentHere as never);
  globals[OWN_AGENT] = agent;
  return {
    waitFor: (stage, timeoutMs) => waitFor(shared, stage, timeoutMs),
    flush: (timeoutMs) => flush(shared, timeoutMs),
    reload: () => reload(shared),
    onGone: (listener) => void listeners.add(listener),
    close: () => (Atomics.load(i32, I32.sharers) > 0 ? agent.close() : agent.end()),
  };
}

/** Takes back what a dead agent has said of itself. Its successor says that it is there when it has loaded. */
function takeOver({ i32 }: Shared): void {
  Atomics.store(i32, I32.sampling, 0);
  Atomics.store(i32, I32.flushDone, Atomics.load(i32, I32.flushAsked));
  Atomics.store(i32, I32.agent, AGENT.gone);
  Atomics.notify(i32, I32.agent);
}

function isListening({ i32 }: Shared): boolean {
  const at = Atomics.load(i32, I32.agent);
  return at === AGENT.watching || at === AGENT.exporting;
}

function reload({ i32 }: Shared): void {
  Atomics.add(i32, I32.reloadAsked, 1);
}

function waitFor({ i32 }: Shared, stage: keyof typeof AGENT, timeoutMs: number): Waited {
  const until = threadMs() + timeoutMs;
  hurry(i32);
  for (;;) {
    const at = Atomics.load(i32, I32.agent);
    if (at === AGENT.refused) return 'refused';
    if (at === AGENT.gone) return 'gone';
    if (at >= AGENT[stage]) return 'reached';
    const left = until - threadMs();
    if (left <= 0) return 'timeout';
    Atomics.wait(i32, I32.agent, at, left);
  }
}

function flush({ i32 }: Shared, timeoutMs: number): void {
  if (Atomics.load(i32, I32.agent) === AGENT.gone) {
    forgetRecording(i32);
    return;
  }
  // A program that ends at once, without a word to the agent, need not wait until the agent has loaded.
  if (i32[I32.ringHead] === 0 && Atomics.load(i32, I32.agent) === AGENT.starting) return;
  const until = threadMs() + timeoutMs;
  hurry(i32);
  const asked = Atomics.add(i32, I32.flushAsked, 1) + 1;
  Atomics.notify(i32, I32.flushAsked);
  for (;;) {
    const done = Atomics.load(i32, I32.flushDone);
    const left = until - threadMs();
    const gone = Atomics.load(i32, I32.agent) === AGENT.gone;
    if (done >= asked) return;
    if (left <= 0 || gone) {
      forgetRecording(i32);
      return;
    }
    Atomics.wait(i32, I32.flushDone, done, left);
  }
}

/** An agent that has only just begun takes its time, see {@link I32.agentAwaited}. */
function hurry(i32: Int32Array): void {
  Atomics.store(i32, I32.agentAwaited, 1);
  Atomics.notify(i32, I32.agentAwaited);
}

/** Without an agent that answers the flight recorder's file would tell of runs that have ended since as of victims of a crash. */
function forgetRecording(i32: Int32Array): void {
  const fd = Atomics.load(i32, I32.recorderFd);
  const isLosing = i32[I32.inFlight]! > 0 && Atomics.load(i32, I32.endKind) !== END.stopped;
  if (fd === 0 || isLosing) return;
  Atomics.store(i32, I32.eventFd, 0);
  try {
    ftruncateSync(fd);
  } catch {
    // Nothing can be done about it, and nobody is left to be told.
  }
}
