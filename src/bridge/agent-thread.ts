import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { threadMs } from '../model/clock.ts';
import { clearTimeout, setTimeout } from '../model/native.ts';
import { Backoff } from './backoff.ts';
import type { ThreadStart } from './protocol.ts';

export interface AgentThreadOptions {
  /** The agent thread's module. */
  readonly url: URL;
  readonly env: Readonly<Record<string, string>>;
  /** Far more than an agent needs: one that leaks is to die of it before the worker does. */
  readonly maxHeapMb: number;
  readonly start: (isFirst: boolean) => ThreadStart;
  /** The thread runs no more code. Called before another one is started. */
  readonly onDied: () => void;
  /** Another one is started. */
  readonly onRestart: () => void;
  readonly onFault: (error: unknown) => void;
}

/** The agent's thread, and another one in its place when it has died, after a pause. */
export class AgentThread {
  readonly #options: AgentThreadOptions;
  readonly #backoff = new Backoff();
  #timer: NodeJS.Timeout | undefined;
  #worker: Worker | undefined;
  #isClosed = false;

  constructor(options: AgentThreadOptions) {
    this.#options = options;
    this.#spawn(true);
  }

  /** Whether there is none, nor will be. */
  get isOver(): boolean {
    return this.#isClosed && this.#worker === undefined;
  }

  /** Whatever becomes of the thread now, there is no other. */
  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
  }

  /** Ends the thread: nobody uses it any more. */
  end(): void {
    this.close();
    void this.#worker?.terminate();
    this.#worker = undefined;
  }

  /** Somebody uses it again that is not over. */
  reopen(): void {
    this.#isClosed = false;
  }

  #spawn(isFirst: boolean): void {
    const { url, env, maxHeapMb, start, onFault, onDied } = this.#options;
    const worker = new Worker(url, {
      name: 'taskwarden',
      workerData: start(isFirst),
      // Neither a flag nor NODE_OPTIONS may make the agent thread preload itself.
      execArgv: yarnPnp(),
      env: { ...env, NODE_OPTIONS: '' },
      stdin: false,
      // Piped into the host's own streams they would touch these, which makes them non-blocking for all who share them.
      stdout: true,
      stderr: true,
      // A small young generation: the agent's garbage must not weigh on the host's memory.
      resourceLimits: { maxYoungGenerationSizeMb: 3, maxOldGenerationSizeMb: maxHeapMb },
      trackUnmanagedFds: false,
    });
    worker.unref();
    this.#worker = worker;
    const startedAt = threadMs();
    let isTold = false;
    worker.on('error', (error) => {
      isTold = true;
      // The thread has stopped, but may take its time to be gone.
      onDied();
      onFault(error);
    });
    worker.on('exit', (code) => {
      this.#worker = undefined;
      onDied();
      if (!isTold && !this.#isClosed) onFault(`the agent thread ended by itself (${code})`);
      this.#again(threadMs() - startedAt);
    });
  }

  #again(ranMs: number): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#options.onRestart();
      try {
        this.#spawn(false);
      } catch (error) {
        this.#options.onFault(error);
        this.#again(0);
      }
    }, this.#backoff.next(ranMs));
    this.#timer.unref();
  }
}

/** Without it a thread of a project of Yarn's Plug'n'Play finds no package. */
function yarnPnp(): string[] {
  return process.versions.pnp === undefined
    ? []
    : ['--require', createRequire(import.meta.url).resolve('pnpapi')];
}
