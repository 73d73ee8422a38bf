import { Session } from 'node:inspector';
import { isMainThread } from 'node:worker_threads';

/** A session that nobody needs is closed after this time, ms: one that is open when the process ends makes Node.js say so. */
const IDLE_MS = 10_000;

export interface MainThreadOptions {
  /** Whether the process lets itself be inspected: where it does not, the attempt would abort it. */
  readonly allowed: boolean;
  readonly warn: (text: string) => void;
}

/**
 * The main thread by way of the inspector: V8 takes its messages as interrupts, within whatever JavaScript is running, but not
 * within native code. One session, opened when it is needed. No port is opened, and other debuggers are not disturbed.
 */
export class MainThread {
  readonly #allowed: boolean;
  readonly #warn: (text: string) => void;
  #session: Session | undefined;
  #refused = false;
  #inUse = 0;
  /** ms of performance.now(). */
  #restsUntil = 0;
  #idle: NodeJS.Timeout | undefined;

  constructor({ allowed, warn }: MainThreadOptions) {
    this.#allowed = allowed;
    this.#warn = warn;
  }

  /**
   * What the main thread answers; undefined when it does not within `timeoutMs`, when it answers with an error, or when the inspector
   * cannot be used. What is asked stays asked: code that comes late must find out for itself whether it is still wanted.
   */
  post<T>(method: string, params: object, timeoutMs: number): Promise<T | undefined> {
    const session = this.#open();
    if (session === undefined) return Promise.resolve(undefined);
    this.#inUse++;
    return new Promise((resolve) => {
      let isOver = false;
      const finish = (answer: T | undefined): void => {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        this.#inUse--;
        this.#closeLater();
        resolve(answer);
      };
      const timer = setTimeout(finish, timeoutMs, undefined);
      session.post(method, params, (error, answer) => finish(error === null ? (answer as T) : undefined));
    });
  }

  /** Listens to an event of the protocol, such as `Debugger.paused`, as long as the session lasts. Returns what ends it. */
  on<T>(event: string, listener: (params: T) => void): () => void {
    const session = this.#open();
    const heard = ({ params }: { params: T }): void => listener(params);
    session?.on(event, heard as never);
    return () => void session?.off(event, heard as never);
  }

  /** Keeps the session open until the returned function is called: what is switched on by it ends with it. */
  hold(): () => void {
    this.#inUse++;
    return () => {
      this.#inUse--;
      this.#closeLater();
    };
  }

  /** Ends the session, and with it all that is under way. It is opened again when it is needed, but not within `restMs`. */
  close(restMs = 0): void {
    clearTimeout(this.#idle);
    this.#restsUntil = performance.now() + restMs;
    this.#session?.disconnect();
    this.#session = undefined;
  }

  #open(): Session | undefined {
    clearTimeout(this.#idle);
    if (this.#session !== undefined || this.#refused || isMainThread) return this.#session;
    if (performance.now() < this.#restsUntil) return undefined;
    try {
      if (!this.#allowed)
        throw new Error('--permission needs --allow-inspector for it, or this Node.js has none');
      const session = new Session();
      session.connectToMainThread();
      this.#session = session;
    } catch (error) {
      this.#refused = true;
      this.#warn(
        `no stacks and profiles of a blocked event loop, alerts come without, and CPU time cannot be sampled: the inspector cannot be used (${(error as Error).message})`,
      );
    }
    return this.#session;
  }

  #closeLater(): void {
    clearTimeout(this.#idle);
    if (this.#session !== undefined && this.#inUse === 0)
      this.#idle = setTimeout(() => this.close(), IDLE_MS).unref();
  }
}
