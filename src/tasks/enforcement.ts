import { executionAsyncId } from 'node:async_hooks';
import { threadMs } from '../model/clock.ts';
import { clearInterval, setImmediate, setInterval } from '../model/native.ts';
import { type Run, runStorage } from './context.ts';
import type { Workers } from './workers.ts';

/** Under this symbol of the global object the agent finds what it may ask of this thread. */
const CONTROL = Symbol.for('taskwarden.control');

/** Exit code of a process that ends to be started again: EX_TEMPFAIL of sysexits(3). */
export const RESTART_CODE = 75;

const LOOK_MS = 50;

/** Which run is meant: a slot alone may hold its successor by now. */
export interface RunId {
  readonly slot: number;
  readonly generation: number;
  readonly jobId: string;
}

/**
 * `gone`: that run has ended. `late`: the request came after its time, as the thread was in native code. `unheard`: the
 * handler has asked for no signal. `elsewhere`: the thread is busy with other code. `unguarded`: nobody would learn of the end.
 * `macrotask`: Node.js would crash.
 */
export type Verdict = 'done' | 'gone' | 'late' | 'unheard' | 'elsewhere' | 'unguarded' | 'macrotask';

/** What the agent may ask of this thread, by code that it has evaluated here. Texts are reasons for people. */
export interface Control {
  abort(run: RunId, untilMs: number, reason: string): Promise<Verdict>;
  terminate(run: RunId, untilMs: number, reason: string): Verdict;
  pause(framework: string, queue: string, by: string): Promise<{ known: number; paused: number }>;
  resume(by: string): Promise<number>;
  /** Takes no more jobs, lets those in flight end, for `graceMs` at most, and ends the process. */
  drain(graceMs: number): void;
}

export interface EnforcementOptions {
  /** The run in a slot of the table. */
  readonly runIn: (slot: number) => Run | undefined;
  readonly inFlight: () => number;
  readonly workers: Workers;
  /** Whether a macrotask can be ended: Node.js runs with --no-force-async-hooks-checks, and has async context frames. */
  readonly unchecked: boolean;
  /** Takes our own async hooks away: while there are any, Node.js checks all the same. */
  readonly unhook: () => void;
  /** Ends the process, as `process.exit`. */
  readonly exit: (code: number) => void;
}

/** Lets the agent ask for what its actions need. Only where the configuration allows one of them. */
export function enforce(options: EnforcementOptions): () => void {
  const globals = globalThis as { [CONTROL]?: Control };
  globals[CONTROL] = controlOf(options);
  return () => {
    delete globals[CONTROL];
    void options.workers.resumeAll();
  };
}

export function controlOf({
  runIn,
  inFlight,
  workers,
  unchecked,
  unhook,
  exit,
}: EnforcementOptions): Control {
  const { Session } = process.getBuiltinModule('node:inspector');

  function find({ slot, generation, jobId }: RunId, untilMs: number): Run | 'gone' | 'late' {
    const run = runIn(slot);
    if (run === undefined || run.generation !== generation || run.jobId !== jobId) return 'gone';
    return threadMs() > untilMs ? 'late' : run;
  }

  return {
    // Listeners of a signal are not to run in the middle of other code, where the question may arrive.
    abort: (id, untilMs, reason) =>
      inMacrotask(() => {
        const run = find(id, untilMs);
        return typeof run === 'string' ? run : run.abort(new Error(reason)) ? 'done' : 'unheard';
      }),

    terminate(id, untilMs, reason) {
      const run = find(id, untilMs);
      if (typeof run === 'string') return run;
      if (runStorage.getStore() !== run) return 'elsewhere';
      const { reject } = run;
      if (reject === undefined) return 'unguarded';
      // Node.js keeps a stack of what it calls into; code that is ended there does not leave it, which a check takes for corruption.
      if (executionAsyncId() !== 0 && !unchecked) return 'macrotask';
      unhook();
      const session = new Session();
      session.connect();
      // Microtasks that wait are lost with the code that is ended.
      setImmediate(() => {
        session.disconnect();
        // BullMQ fetches the next job together with the end of this one.
        workers.stop();
        reject(new Error(reason));
      });
      session.post('Runtime.terminateExecution');
      return 'done';
    },

    pause: (framework, queue, by) => inMacrotask(() => workers.pause(framework, queue, by)),
    resume: (by) => inMacrotask(() => workers.resume(by)),

    drain(graceMs) {
      const until = threadMs() + graceMs;
      let closed = false;
      void inMacrotask(() => workers.close()).then(() => {
        closed = true;
      });
      const timer = setInterval(() => {
        if ((!closed || inFlight() > 0) && threadMs() < until) return;
        clearInterval(timer);
        // An application that listens to SIGTERM has more to put in order than its workers.
        if (process.listenerCount('SIGTERM') > 1) process.kill(process.pid, 'SIGTERM');
        else exit(RESTART_CODE);
      }, LOOK_MS);
    },
  };
}

function inMacrotask<T>(act: () => T | Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    setImmediate(() => {
      try {
        resolve(act());
      } catch (error) {
        reject(error);
      }
    });
  });
}
