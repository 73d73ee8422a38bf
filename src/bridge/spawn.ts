import { BroadcastChannel, getEnvironmentData, setEnvironmentData, Worker } from 'node:worker_threads';
import { monotonicMs } from '../model/clock.ts';
import { AGENT, CHANNEL, I32, type Offer, type Shared, STATE, type ThreadStart } from './protocol.ts';

export interface SpawnOptions {
  readonly shared: Shared;
  /** The agent thread's module. */
  readonly url: URL;
  readonly config: unknown;
  readonly env: Readonly<Record<string, string>>;
  readonly onError: (part: string, error: unknown) => void;
}

export interface AgentLink {
  /** Waits, blocking, until the agent has reached a stage; false when it refused or `timeoutMs` passed. */
  waitFor(stage: keyof typeof AGENT, timeoutMs: number): boolean;
  /** Has everything exported, blocking, for at most `timeoutMs`. */
  flush(timeoutMs: number): void;
  /** Tells the agent that this thread ends. */
  close(): void;
}

/** Key under which a thread tells the threads it starts that an agent is there already. */
const AGENT_HERE = 'taskwarden.agent';

function clockOffset(): number {
  return monotonicMs() - performance.now();
}

/** The agent of this process, or a new one. Threads of one process share one agent. */
export function connectAgent(options: SpawnOptions): AgentLink {
  const { shared } = options;
  if (getEnvironmentData(AGENT_HERE) === process.pid) offer(shared);
  else spawn(options);
  return link(shared);
}

function offer(shared: Shared): void {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage({ buffer: shared.buffer, clockOffset: clockOffset() } satisfies Offer);
  channel.unref();
  // Closing at once would lose the message of a thread that ends at once: it is left to the end of the thread.
}

function spawn({ shared, url, config, env, onError }: SpawnOptions): void {
  setEnvironmentData(AGENT_HERE, process.pid);
  const workerData: ThreadStart = { config, buffer: shared.buffer, clockOffset: clockOffset() };
  const worker = new Worker(url, {
    name: 'taskwarden',
    workerData,
    // Neither a flag nor NODE_OPTIONS may make the agent thread preload itself.
    execArgv: [],
    env: { ...env, NODE_OPTIONS: '' },
    stdin: false,
    // A small young generation: the agent's garbage must not weigh on the host's memory.
    resourceLimits: { maxYoungGenerationSizeMb: 8 },
    trackUnmanagedFds: false,
  });
  worker.on('error', (error) => onError('agent thread', error));
  worker.on('exit', () => Atomics.store(shared.i32, I32.agent, AGENT.gone));
  worker.unref();
}

function link(shared: Shared): AgentLink {
  const { i32 } = shared;
  return {
    waitFor(stage, timeoutMs) {
      const until = performance.now() + timeoutMs;
      for (;;) {
        const at = Atomics.load(i32, I32.agent);
        if (at >= AGENT.refused) return false;
        if (at >= AGENT[stage]) return true;
        const left = until - performance.now();
        if (left <= 0) return false;
        Atomics.wait(i32, I32.agent, at, left);
      }
    },
    flush(timeoutMs) {
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
    },
    close() {
      Atomics.store(i32, I32.state, STATE.closed);
    },
  };
}
